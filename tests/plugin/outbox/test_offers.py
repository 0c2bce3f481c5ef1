"""What the bot offers under a picture: last of all, once, dropped where the homeserver limits it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from listening import Listening
from plugin_rig import ROOM, Rig

from otterbot.config import ReactionValues, Values, read
from otterbot.outbox import offers

OFFERED = ["🔁", "🎲", "⬆\ufe0f"]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with much else to do takes longer than people wait."""
    monkeypatch.setattr(offers, "LATE", 3600.0)
    monkeypatch.setattr(offers, "REST", 3600.0)


@pytest_asyncio.fixture
async def rig(rig: Rig) -> AsyncIterator[Rig]:
    rig.values = replace(rig.values, reactions=ReactionValues())
    yield rig


def under(rig: Rig, picture: str) -> list[str]:
    sent = (event["content"]["m.relates_to"] for event in rig.server.of_bot(ROOM, "m.reaction"))
    return [relation["key"] for relation in sent if relation["event_id"] == picture]


async def test_they_come_last_of_all(rig: Rig) -> None:
    request = await rig.ask(body={"count": 2})
    await rig.done(request)
    pictures = [event["event_id"] for event in rig.server.pictures(ROOM)]
    await rig.until(lambda: all(under(rig, picture) == OFFERED for picture in pictures))
    kinds = [event["content"]["m.relates_to"]["event_id"] for event in rig.server.of_bot(ROOM, "m.reaction")]
    assert kinds[:2] == [request.event_id, request.event_id], "⏳ and ✅ first"
    parts = await rig.store.parts_of(request.key)
    assert not [name for name in parts if name.startswith("offer")], "nothing of it is stored"


async def test_a_room_may_choose_its_own_or_none(rig: Rig) -> None:
    for stored, wanted in (("⭐ 🎲", ["⭐", "🎲"]), ("off", [])):
        await rig.db.execute("DELETE FROM settings")
        await rig.db.execute("INSERT INTO settings (room_id, name, value) VALUES ($1, 'offer', $2)", ROOM, stored)
        await rig.done(await rig.ask())
        picture = rig.server.pictures(ROOM)[-1]["event_id"]
        # The last one leaves the queue before it stands in the room.
        await rig.until(lambda: under(rig, picture) == wanted and not rig.outbox.sendable())  # noqa: B023


def offered(rig: Rig) -> int:
    """How often one was sent, or tried."""
    return sum(content.get("m.relates_to", {}).get("key") in OFFERED for _, _, content in rig.server.sends)


async def test_a_limit_drops_them(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.server.limit = lambda content: 50 if content.get("m.relates_to", {}).get("key") in OFFERED else 0
    await rig.done(await rig.ask())
    await rig.until(lambda: offered(rig) and not rig.outbox.sendable())
    assert (offered(rig), under(rig, rig.server.pictures(ROOM)[-1]["event_id"])) == (1, [])
    await asyncio.sleep(0.2)
    rig.server.limit = lambda content: 0
    await rig.done(await rig.ask())
    await rig.until(lambda: not rig.outbox.sendable())
    assert offered(rig) == 1, "not late, and none as long as that was just now"
    monkeypatch.setattr(offers, "REST", 0.0)
    rig.outbox.drop_offers()
    await rig.done(await rig.ask())
    await rig.until(lambda: under(rig, rig.server.pictures(ROOM)[-1]["event_id"]) == OFFERED)


async def test_they_take_no_results_place(rig: Rig) -> None:
    """Once the homeserver has limited anything, the next pictures get none."""
    rig.server.limits = [50]
    requests = [await rig.ask(sender=f"@user{number}:test") for number in range(12)]
    for request in requests:
        assert (await rig.done(request)).outcome == "succeeded"
    await rig.until(lambda: not rig.outbox.sendable())
    assert len(rig.server.pictures(ROOM)) == 12
    assert offered(rig) == 0


async def test_what_waits_too_long_is_dropped(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "LATE", 0.0)
    await rig.done(await rig.ask())
    await rig.until(lambda: not rig.outbox.sendable())
    assert offered(rig) == 0


async def test_a_room_that_forbids_reactions_gets_its_pictures(rig: Rig) -> None:
    rig.server.forbid = lambda content: content.get("m.relates_to", {}).get("key") in OFFERED
    for _ in range(2):
        assert (await rig.done(await rig.ask())).outcome == "succeeded"
    await rig.until(lambda: not rig.outbox.sendable())
    assert not rig.outbox.blocked.place(ROOM)
    assert len(rig.server.pictures(ROOM)) == 2


async def test_nothing_follows_from_its_own(rig: Rig, listening: Listening) -> None:
    await rig.done(await rig.ask())
    picture = rig.server.pictures(ROOM)[-1]["event_id"]
    await rig.until(lambda: under(rig, picture) == OFFERED)
    await listening.sync(*rig.server.of_bot(ROOM, "m.reaction"), rig.server.say(ROOM, "!say on"))
    await listening.hear("!say on")
    assert len(rig.worker_server.jobs) == 1


# ---------------------------------------------------------------- the setting


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("🔁 🎲", ("🔁", "🎲")),
        ("⬆🔁", ("⬆\ufe0f", "🔁")),
        (["⭐", "❌"], ("⭐", "❌")),
        ("off", ()),
        (False, ()),
        (None, ()),
        ("", ()),
        ("🔄 🔁", ("🔁",)),
    ],
)
def test_what_operators_write(written: Any, read_as: tuple[str, ...]) -> None:
    values, problems = read({"reactions": {"offer": written}}, Values())
    assert not problems
    assert values.reactions.offer == read_as


@pytest.mark.parametrize("written", ["👍", "🔁 otter", 5, [5], {"a": 1}, True])
def test_what_nothing_follows_from_is_named(written: Any) -> None:
    values, problems = read({"reactions": {"offer": written}}, Values())
    assert values.reactions.offer == tuple(OFFERED)
    assert problems == [
        '`reactions.offer` should be some of 🔁 🎲 ⬆️ ⭐ ❌, as in "🔁 🎲", or off; what counted before stays.'
    ]
