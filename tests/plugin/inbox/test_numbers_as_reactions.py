"""Reactions that mean a line of a list: heard once, found by walks, a request of their own, taken back with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from listening import Listening
from plugin_rig import BOT, ROOM, Rig

from otterbot.store.rows import Part, Request

TWO = "2\ufe0f\u20e3"


@pytest_asyncio.fixture
async def listening(rig: Rig) -> AsyncIterator[Listening]:
    made = Listening(rig)
    made.start()
    yield made
    await made.events.stop()


def react(rig: Rig, target: str, emoji: Any = TWO, sender: str = "@user:test", **more: Any) -> dict[str, Any]:
    relation = {"rel_type": "m.annotation", "event_id": target, "key": emoji, **more}
    return rig.server.add(ROOM, sender, "m.reaction", {"m.relates_to": relation})


async def described(rig: Rig) -> str:
    """A message of ours that stands in the room."""
    content = {
        "msgtype": "m.text", "body": "An otter.", "m.relates_to": {"rel_type": "m.thread", "event_id": "$thread"},
        "org.otterbot": {"v": 1, "key": "described", "part": "described/1", "prompts": ["one otter", "two otters"]},
    }  # fmt: skip
    event = str(rig.server.add(ROOM, BOT, "m.room.message", content)["event_id"])
    part = Part(key="described", part="described/1", room_id=ROOM, content={})
    await rig.store.add_part(part)
    await rig.store.mark_sending(*part.id)
    await rig.store.mark_sent(part, event)
    return event


async def requests(rig: Rig, count: int) -> list[Request]:
    for _ in range(3_000):
        if len(found := await rig.store.open_requests(ROOM)) >= count:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("they were not made")


async def test_it_is_a_request_about_what_it_is_on(listening: Listening, rig: Rig) -> None:
    rig.worker_server.auto = False
    target = await described(rig)
    first, second = react(rig, target), react(rig, target, sender="@other:test")
    await listening.sync(first, second, first)
    found = await requests(rig, 2)
    assert [(one.event_id, one.edit_id, one.sender, one.thread_root) for one in found] == [
        (target, first["event_id"], "@user:test", "$thread"),
        (target, second["event_id"], "@other:test", "$thread"),
    ]
    assert len({one.key for one in found}) == 2, "two people's are two"


async def test_one_that_was_missed_is_found(rig: Rig) -> None:
    target = await described(rig)
    react(rig, target)
    late = Listening(rig)
    late.start()
    await requests(rig, 1)
    await late.events.stop()


async def test_its_picture_is_a_reply_to_what_it_is_on(listening: Listening, rig: Rig) -> None:
    target = await described(rig)
    await listening.sync(react(rig, target))
    await rig.until(lambda: rig.server.pictures(ROOM))
    relation = rig.server.pictures(ROOM)[0]["content"]["m.relates_to"]
    assert relation["m.in_reply_to"] == {"event_id": target}
    assert relation["event_id"] == "$thread"


async def test_taking_it_back_cancels_what_waits(listening: Listening, rig: Rig) -> None:
    rig.worker_server.auto = False
    target = await described(rig)
    reaction = react(rig, target)
    await listening.sync(reaction)
    [request] = await requests(rig, 1)
    await listening.sync(rig.server.add(ROOM, "@user:test", "m.room.redaction", {"redacts": reaction["event_id"]}))
    assert (await rig.done(request)).outcome == "cancelled"


@pytest.mark.parametrize("emoji", ["👍", "", 7, None, "2 otters", "2" * 10_000])
async def test_others_are_passed_over(listening: Listening, rig: Rig, emoji: Any) -> None:
    target = await described(rig)
    odd = react(rig, target, emoji)
    await listening.sync(odd, rig.server.say(ROOM, "!say on"))
    await listening.hear("!say on")


async def test_broken_ones_hurt_nobody(listening: Listening, rig: Rig) -> None:
    broken = [
        rig.server.add(ROOM, "@user:test", "m.reaction", content)
        for content in ({}, {"m.relates_to": 5}, {"m.relates_to": {"rel_type": "m.annotation", "key": TWO}})
    ]
    broken.append(react(rig, "no id"))
    broken.append(react(rig, "$a", rel_type="m.thread"))
    broken.append(react(rig, "$a", sender=BOT))
    await listening.sync(*broken, rig.server.say(ROOM, "!say on"))
    await listening.hear("!say on")
