"""Reactions on answers: 🔁 asks again, ❌ and 🛑 stop, ❌ deletes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from chat_servers import ROOM, STRANGER, USER, Rig, rig_in
from homeserver_double import BOT
from reacting import Reacting

from otterbot import texts
from otterbot.language.reaction import from_raw
from otterbot.store.rows import key_of

OTHER, MODERATOR = "@other:test", "@mod:test"
LONG = "\n\n".join("Otters swim and otters sleep. " * 20 for _ in range(40))


@pytest_asyncio.fixture(params=["whole", "none"])
async def rig(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async with rig_in(tmp_path, bundling=request.param, placeholder_after=0.0, edit_seconds=0.05) as rig:
        rig.server.set_state(ROOM, "m.room.create", {"room_version": "11"}, sender="@creator:test")
        rig.server.set_state(ROOM, "m.room.power_levels", {"users": {MODERATOR: 50}})
        yield rig


@pytest_asyncio.fixture
async def reacting(rig: Rig) -> AsyncIterator[Reacting]:
    async with Reacting(rig) as reacting:
        yield reacting


def bodies(rig: Rig) -> list[str]:
    return [content["body"] for content in rig.server.shown()]


def heard(job: dict[str, Any]) -> list[str]:
    """What the worker was asked, without the system prompt."""
    return [message["content"] for message in job["request"]["messages"][1:]]


# ---------------------------------------------------------------- once more


async def test_an_answer_is_made_anew_and_the_newest_counts(rig: Rig, reacting: Reacting) -> None:
    asked = rig.server.say(ROOM, "!chat one")
    request = await rig.ask(asked)
    rig.worker.answer(await rig.job(request), "answer one")
    await rig.done(request)
    again = await reacting.asked_by(await reacting.react(reacting.on("answer one"), "🔁"))
    job = await rig.job(again)
    assert heard(job) == ["one"], "as if it had not been answered"
    rig.worker.answer(job, "answer two")
    assert await rig.done(again) == "succeeded"
    assert bodies(rig) == ["answer one", "answer two"], "the old answer stays"
    assert {content["m.relates_to"]["event_id"] for content in rig.server.shown()} == {asked["event_id"]}
    later = await rig.ask(rig.server.in_thread(asked["event_id"], "two"))
    job = await rig.job(later)
    assert heard(job) == ["one", "answer two", "two"]
    rig.worker.answer(job, "answer three")
    await rig.done(later)
    third = await reacting.asked_by(await reacting.react(reacting.on("answer one"), "🔁"))
    assert heard(await rig.job(third)) == ["one"], "nothing that was said after it"
    rig.worker.answer(await rig.job(third), "answer four")
    await rig.done(third)
    last = await rig.ask(rig.server.in_thread(asked["event_id"], "three"))
    assert heard(await rig.job(last)) == ["one", "answer four", "two", "answer three", "three"]


async def test_the_newest_answer_counts_with_an_empty_database(rig: Rig, reacting: Reacting) -> None:
    asked = rig.server.say(ROOM, "!chat one")
    request = await rig.ask(asked)
    rig.worker.answer(await rig.job(request), "answer one")
    await rig.done(request)
    again = await reacting.asked_by(await reacting.react(reacting.on("answer one"), "🔁"))
    rig.worker.answer(await rig.job(again), "answer two")
    await rig.done(again)
    await rig.settled()
    for table in ("requests", "parts"):
        await rig.db.execute(f"DELETE FROM {table}")
    later = await rig.ask(rig.server.in_thread(asked["event_id"], "two"))
    assert heard(await rig.job(later)) == ["one", "answer two", "two"]


async def test_a_question_that_is_being_answered_is_not_asked_again(rig: Rig, reacting: Reacting) -> None:
    request = await rig.ask(rig.server.say(ROOM, "!chat one"))
    rig.worker.answer(await rig.job(request), "answer one")
    await rig.done(request)
    first = await reacting.asked_by(await reacting.react(reacting.on("answer one"), "🔁"))
    second = await reacting.react(reacting.on("answer one"), "🔁", MODERATOR)
    await reacting.react(reacting.on("answer one"), "🔁", OTHER)
    await rig.job(first)
    assert await rig.store.request(key_of(BOT, ROOM, second["event_id"])) is None
    assert len(rig.worker.jobs) == 2


@pytest.mark.parametrize(("sender", "may"), [(USER, True), (MODERATOR, True), (OTHER, False), (STRANGER, False)])
async def test_who_may_ask_again(rig: Rig, reacting: Reacting, sender: str, may: bool) -> None:
    request = await rig.ask(rig.server.say(ROOM, "!chat one"))
    rig.worker.answer(await rig.job(request), "answer one")
    await rig.done(request)
    reaction = await reacting.react(reacting.on("answer one"), "🔁\ufe0f", sender)
    if may:
        again = await reacting.asked_by(reaction)
        assert again.sender == USER, "the question is still theirs"
    else:
        await reacting.asked_by(await reacting.react(reacting.on("answer one"), "🔁"))
        assert await rig.store.request(key_of(BOT, ROOM, reaction["event_id"])) is None
        assert await rig.store.is_handled(reaction["event_id"]), "what they may later changes nothing"


async def test_a_reaction_is_taken_once(rig: Rig, reacting: Reacting) -> None:
    request = await rig.ask(rig.server.say(ROOM, "!chat one"))
    rig.worker.answer(await rig.job(request), "answer one")
    await rig.done(request)
    reaction = await reacting.react(reacting.on("answer one"), "🔁")
    again = await reacting.asked_by(reaction)
    rig.worker.answer(await rig.job(again), "answer two")
    await rig.done(again)
    await reacting.events.stop()
    await rig.restart()
    async with Reacting(rig) as other:
        await other.hear(reaction)
        third = await other.asked_by(await other.react(other.on("answer two"), "🔁"))
        await rig.job(third)
        assert len(rig.worker.jobs) == 3


# ---------------------------------------------------------------- stopped


@pytest.mark.parametrize("emoji", ["❌", "🛑"])
async def test_an_answer_that_grows_is_stopped_and_keeps_what_came(rig: Rig, reacting: Reacting, emoji: str) -> None:
    asked = rig.server.say(ROOM, "!chat one")
    request = await rig.ask(asked)
    job = await rig.job(request)
    rig.worker.stream(job, "Otters hold")
    await rig.server.wait(lambda: bodies(rig) == ["Otters hold …"])
    await reacting.react(reacting.on("Otters hold"), emoji)
    assert await rig.done(request) == "cancelled"
    await rig.settled()
    assert bodies(rig) == [f"Otters hold\n\n{texts.CHAT_STOPPED}"]
    assert rig.worker.cancelled == [request.key]
    later = await rig.ask(rig.server.in_thread(asked["event_id"], "two"))
    assert heard(await rig.job(later)) == ["one", "Otters hold", "two"]


async def test_what_has_no_word_yet_is_cancelled(rig: Rig, reacting: Reacting) -> None:
    asked = rig.server.say(ROOM, "!chat one")
    request = await rig.ask(asked)
    await rig.job(request)
    await rig.server.wait(lambda: bodies(rig))
    await reacting.react(asked["event_id"], "❌")
    assert await rig.done(request) == "cancelled"
    await rig.server.wait(lambda: bodies(rig) == [texts.CANCELLED])


async def test_a_stop_survives_a_restart_and_ends_a_turn_of_a_worker_that_is_away(rig: Rig, reacting: Reacting) -> None:
    request = await rig.ask(rig.server.say(ROOM, "!chat one"))
    job = await rig.job(request)
    rig.worker.stream(job, "Otters hold")
    await rig.server.wait(lambda: bodies(rig) == ["Otters hold …"])
    rig.worker.instead = lambda http: _unavailable() if http.method == "DELETE" else None
    await reacting.react(reacting.on("Otters hold"), "🛑")
    await reacting.until(request.key, lambda request: request.cancel_owed)
    await reacting.events.stop()
    await rig.stop()
    rig.worker.instead = lambda http: None
    await rig.start()
    assert await rig.done(request) == "cancelled"
    await rig.settled()
    assert bodies(rig) == [f"Otters hold\n\n{texts.CHAT_STOPPED}"]


async def test_a_second_stop_does_not_wait_for_the_worker(rig: Rig, reacting: Reacting) -> None:
    request = await rig.ask(rig.server.say(ROOM, "!chat one"))
    rig.worker.stream(await rig.job(request), "Otters hold")
    await rig.server.wait(lambda: bodies(rig) == ["Otters hold …"])
    rig.worker.instead = lambda http: _unavailable() if http.method == "DELETE" else None
    await reacting.react(reacting.on("Otters hold"), "🛑")
    await reacting.until(request.key, lambda request: request.cancel_owed)
    await reacting.react(reacting.on("Otters hold"), "❌")
    assert await rig.done(request) == "cancelled"
    await rig.server.wait(lambda: bodies(rig) == [texts.CANCELLED])


def _unavailable() -> web.Response:
    return web.json_response({"code": "starting", "status": 503}, status=503, content_type="application/problem+json")


# ---------------------------------------------------------------- deleted


async def test_a_deleted_answer_is_forgotten_with_its_question(rig: Rig, reacting: Reacting) -> None:
    asked = rig.server.say(ROOM, "!chat one")
    request = await rig.ask(asked)
    rig.worker.answer(await rig.job(request), "answer one")
    await rig.done(request)
    second = await rig.ask(rig.server.in_thread(asked["event_id"], "two"))
    rig.worker.answer(await rig.job(second), LONG)
    await rig.done(second)
    assert len(bodies(rig)) > 3
    await reacting.react(reacting.on("Otters swim"), "❌", OTHER)
    await reacting.react(reacting.on("Otters swim"), "🛑")
    await reacting.react(reacting.on("Otters swim"), "❌", MODERATOR)
    await rig.server.wait(lambda: bodies(rig) == ["answer one"])
    await rig.settled()
    third = await rig.ask(rig.server.in_thread(asked["event_id"], "three"))
    assert heard(await rig.job(third)) == ["one", "answer one", "three"]


async def test_of_a_deleted_answer_nothing_stays_with_the_homeserver(rig: Rig, reacting: Reacting) -> None:
    request = await rig.ask(rig.server.say(ROOM, "!chat one"))
    job = await rig.job(request)
    for text in ("canary", "canary " * 40 + "x", "canary " * 160 + "x"):
        rig.worker.stream(job, text)
        await rig.server.wait(lambda text=text: rig.server.shown() and bodies(rig) == [f"{text} …"])
    rig.worker.answer(job, "canary " * 200)
    await rig.done(request)
    assert len(rig.server.edits()) >= 3, "it grew"
    await reacting.react(reacting.on("canary"), "❌")
    await rig.server.wait(lambda: not bodies(rig))
    await rig.settled()
    assert "canary" not in str(rig.server.rooms[ROOM])
    redactions = [event["redacts"] for event in rig.server.of_bot(ROOM, "m.room.redaction")]
    assert len(redactions) == len(set(redactions)), "each once"


async def test_where_the_newest_answer_is_deleted_the_one_before_counts(rig: Rig, reacting: Reacting) -> None:
    asked = rig.server.say(ROOM, "!chat one")
    request = await rig.ask(asked)
    rig.worker.answer(await rig.job(request), "answer one")
    await rig.done(request)
    again = await reacting.asked_by(await reacting.react(reacting.on("answer one"), "🔁"))
    rig.worker.answer(await rig.job(again), "answer two")
    await rig.done(again)
    await reacting.react(reacting.on("answer two"), "❌")
    await rig.server.wait(lambda: bodies(rig) == ["answer one"])
    await rig.settled()
    later = await rig.ask(rig.server.in_thread(asked["event_id"], "two"))
    assert heard(await rig.job(later)) == ["one", "answer one", "two"]


async def test_where_both_answers_are_deleted_the_question_is_forgotten(rig: Rig, reacting: Reacting) -> None:
    asked = rig.server.say(ROOM, "!chat one")
    request = await rig.ask(asked)
    rig.worker.answer(await rig.job(request), "answer one")
    await rig.done(request)
    again = await reacting.asked_by(await reacting.react(reacting.on("answer one"), "🔁"))
    rig.worker.answer(await rig.job(again), "answer two")
    await rig.done(again)
    later = await rig.ask(rig.server.in_thread(asked["event_id"], "two"))
    rig.worker.answer(await rig.job(later), "answer three")
    await rig.done(later)
    for body in ("answer two", "answer one"):
        await reacting.react(reacting.on(body), "❌")
        await rig.server.wait(lambda body=body: body not in bodies(rig))
    await rig.settled()
    last = await rig.ask(rig.server.in_thread(asked["event_id"], "three"))
    assert heard(await rig.job(last)) == ["two", "answer three", "three"]


# ---------------------------------------------------------------- what is no reaction


@pytest.mark.parametrize(
    "relation",
    [
        None,
        [],
        {"rel_type": "m.annotation", "event_id": "$x"},
        {"rel_type": "m.annotation", "key": "🔁"},
        {"rel_type": "m.thread", "event_id": "$x", "key": "🔁"},
        {"rel_type": "m.annotation", "event_id": "x/../y", "key": "🔁"},
        {"rel_type": "m.annotation", "event_id": "$x", "key": 7},
        {"rel_type": "m.annotation", "event_id": "$x", "key": "🔁" * 50},
    ],
)
def test_what_anybody_can_send_is_not_trusted(relation: Any) -> None:
    event = {"type": "m.reaction", "room_id": "!r:x", "sender": USER, "event_id": "$e"}
    assert from_raw({**event, "content": {"m.relates_to": relation}}) is None


async def test_odd_reactions_do_no_harm(rig: Rig, reacting: Reacting) -> None:
    request = await rig.ask(rig.server.say(ROOM, "!chat one"))
    rig.worker.answer(await rig.job(request), "answer one")
    await rig.done(request)
    for target, emoji in (("$nowhere", "🔁"), (reacting.on("answer one"), "👍"), (request.event_id, "🔁")):
        await reacting.react(target, emoji)
    await reacting.hear(rig.server.add(ROOM, USER, "m.reaction", {"m.relates_to": {"rel_type": "m.annotation"}}))
    again = await reacting.asked_by(await reacting.react(reacting.on("answer one"), "🔁"))
    await rig.job(again)
    assert len(rig.worker.jobs) == 2
