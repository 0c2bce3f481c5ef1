"""Limits by day and between two requests: at the place where requests are accepted, whatever asks for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest_asyncio
from listening import Listening
from plugin_rig import ROOM, Rig

from otterbot.config import LimitValues, QuotaValues, Values
from otterbot.requests.following import follows
from otterbot.store.part_names import PartName
from otterbot.store.quotas import Quota
from otterbot.store.rows import Part, PartState
from otterbot.store.store import Commit

ANNA, BERT, MOD = "@anna:test", "@bert:test", "@mod:test"
FULL = "The next picture is possible in 24 h. For one person the limit is 2 pictures in 24 hours."


@pytest_asyncio.fixture
async def listening(rig: Rig) -> AsyncIterator[Listening]:
    made = Listening(rig)
    made.start()
    yield made
    await made.events.stop()


def limit(rig: Rig, **limits: Any) -> None:
    rig.values = replace(rig.values, limits=LimitValues(**limits))


def per_person(rig: Rig, **limits: Any) -> None:
    limit(rig, person=QuotaValues(**limits))


async def ask(listening: Listening, word: str, sender: str = ANNA) -> str:
    event = listening.rig.server.say(ROOM, word, sender)
    await listening.sync(event)
    return str(event["event_id"])


def react(rig: Rig, target: str, emoji: str, sender: str) -> dict[str, Any]:
    relation = {"rel_type": "m.annotation", "event_id": target, "key": emoji}
    return rig.server.add(ROOM, sender, "m.reaction", {"m.relates_to": relation})


def said(rig: Rig, text: str) -> list[dict[str, Any]]:
    return [event for event in rig.server.of_bot(ROOM) if text in event["content"].get("body", "")]


async def jobs(rig: Rig, number: int) -> list[Any]:
    await rig.until(lambda: len(rig.worker_server.jobs) >= number, timeout=10)
    return list(rig.worker_server.jobs.values())


async def test_the_third_picture_of_a_day_is_refused_with_the_time_and_leaves_no_trace(
    listening: Listening, rig: Rig
) -> None:
    per_person(rig, per_day=2)
    for word in ("!draw one", "!draw two"):
        await ask(listening, word)
    await jobs(rig, 2)
    third = await ask(listening, "!draw three")
    await rig.until(lambda: said(rig, FULL))
    assert said(rig, FULL)[0]["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == third
    assert await rig.store.request_by_event(third) is None
    await ask(listening, "!draw four", BERT)
    assert [job["owner"] for job in await jobs(rig, 3)] == [ANNA, ANNA, BERT]


async def test_a_restart_forgets_nothing(rig: Rig) -> None:
    per_person(rig, per_day=2)
    for life, words in enumerate((["!draw one", "!draw two"], ["!draw three"])):
        listening = Listening(rig)
        listening.start()
        for word in words:
            await ask(listening, word)
        if life == 0:
            await jobs(rig, 2)
        else:
            await rig.until(lambda: said(rig, FULL))
        await listening.events.stop()
        await rig.restart()
    assert len(rig.worker_server.jobs) == 2


async def test_a_reaction_is_one_of_who_reacts(listening: Listening, rig: Rig) -> None:
    limit(rig, person=QuotaValues(per_day=1))
    await ask(listening, "!draw one")
    await rig.until(lambda: rig.server.pictures(ROOM))
    target = str(rig.server.pictures(ROOM)[-1]["event_id"])
    await listening.sync(react(rig, target, "🔁", BERT))
    await jobs(rig, 2)
    refused = react(rig, target, "🔁", ANNA)
    await listening.sync(refused)
    await rig.until(lambda: said(rig, "The next picture is possible"))
    answer = said(rig, "The next picture is possible")[0]["content"]
    assert answer["m.relates_to"]["m.in_reply_to"]["event_id"] == target
    assert len(rig.worker_server.jobs) == 2
    four = react(rig, target, "🎲", "@cora:test")
    await listening.sync(four)
    await rig.until(lambda: said(rig, "That would be 4 pictures."))


async def test_between_two_requests_and_for_a_room(listening: Listening, rig: Rig) -> None:
    limit(rig, room=QuotaValues(cooldown_seconds=300.0))
    await ask(listening, "!draw one")
    await jobs(rig, 1)
    await ask(listening, "!draw two", BERT)
    await rig.until(lambda: said(rig, "For this room there are 5 min between two requests."))
    assert len(rig.worker_server.jobs) == 1


async def test_moderators_are_exempt_only_if_the_operator_says_so_and_never_from_the_instances(
    listening: Listening, rig: Rig
) -> None:
    rig.server.set_state(ROOM, "m.room.power_levels", {"users": {MOD: 50}})
    limit(rig, person=QuotaValues(per_day=0))
    await ask(listening, "!draw one", MOD)
    await rig.until(lambda: said(rig, "That would be 1 picture."))
    limit(rig, person=QuotaValues(per_day=0), instance=QuotaValues(per_day=1), exempt_moderators=True)
    await ask(listening, "!draw two", MOD)
    await jobs(rig, 1)
    await ask(listening, "!draw three", MOD)
    await rig.until(lambda: said(rig, "For all rooms together the limit is 1 picture"))


async def test_a_room_tightens_and_cannot_loosen(listening: Listening, rig: Rig) -> None:
    await rig.store.commit(Commit(mark=None, room_id=ROOM, setting=("per_day", "1")))
    await ask(listening, "!draw one")
    await jobs(rig, 1)
    await ask(listening, "!draw two")
    await rig.until(lambda: said(rig, "For one person in this room the limit is 1 picture in 24 hours."))
    await rig.store.commit(Commit(mark=None, room_id=ROOM, setting=("per_day", "100")))
    per_person(rig, per_day=1)
    await ask(listening, "!draw three")
    await rig.until(lambda: said(rig, "For one person the limit is 1 picture in 24 hours."))
    assert Values().limits == LimitValues(), "nothing is limited unless somebody says so"


async def test_a_picture_that_fails_does_not_count(listening: Listening, rig: Rig) -> None:
    rig.worker_server.auto = False
    per_person(rig, per_day=1)
    await ask(listening, "!draw one")
    [job] = await jobs(rig, 1)
    rig.worker_server.fail(job, 0)
    await rig.until(lambda: said(rig, "It broke."))
    await ask(listening, "!draw two")
    assert len(await jobs(rig, 2)) == 2


async def test_pictures_that_follow_one_another_count_together(rig: Rig) -> None:
    """`1 2 3` as a reply to a sheet: one request is accepted, and the others come of it, one by one."""
    then = {"then": {"body": {"prompt": "b", "then": {"body": {"prompt": "c"}}}}}
    event = rig.server.say(ROOM, "1 2 3", ANNA)
    asked = replace(rig.request(event, body={"prompt": "a", **then}), sender=ANNA)
    two, three = (Quota(scope="person", kind="image", sender=ANNA, per_day=most) for most in (2, 3))
    over = (await rig.store.commit(Commit(mark="$1", room_id=ROOM, request=asked, quotas=[two]))).over
    assert (over and over.asks) == 3
    assert (await rig.store.commit(Commit(mark="$1", room_id=ROOM, request=asked, quotas=[three]))).over is None
    picture = Part(key=asked.key, part="picture/0", room_id=ROOM, state=PartState.SENT, event_id="$picture")
    await rig.store.set_made(asked.key, 1)
    follow = follows(asked, {PartName.picture(0): picture}, rig.store.clock.now())
    assert (await rig.store.finish(asked.key, "succeeded", follow=follow)).followed
    assert await rig.store.used(three) == 3, "one that came, and two that are to come"
