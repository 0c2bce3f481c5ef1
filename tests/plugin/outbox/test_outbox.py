"""One thing at a time, the worthiest first, each once: limits, lost answers, crashes at every step."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from homeserver_double import HomeserverDouble
from outbox_parts import note, sent, state
from plugin_rig import ROOM, Rig
from worker_double import WorkerDouble

from otterbot.config import Values
from otterbot.matrix import event_content
from otterbot.store.rows import Kind, Part, PartState, Rank


def bodies(server: HomeserverDouble, room: str = ROOM) -> list[str]:
    return [event["content"].get("body", "") for event in server.of_bot(room)]


@pytest_asyncio.fixture
async def still(
    tmp_path: Path, server: HomeserverDouble, worker_server: WorkerDouble, values: Values
) -> AsyncIterator[Rig]:
    """A rig whose outbox has not begun."""
    rig = await Rig(tmp_path / "plugin.db", server, worker_server, values).start()
    yield rig
    await rig.stop()


async def test_the_worthiest_goes_first(still: Rig) -> None:
    for name, rank in (("e", Rank.EDIT), ("s", Rank.STATUS), ("r", Rank.REFUSAL), ("p", Rank.RESULT)):
        await still.store.add_part(note(name, name, rank=rank))
    await still.parts.sending.start()
    await still.server.wait(lambda: len(bodies(still.server)) == 4)
    assert bodies(still.server) == ["p", "r", "s", "e"]


async def test_limits_are_kept_and_nothing_is_lost(rig: Rig) -> None:
    rig.server.limits = [300, 200]
    started = time.monotonic()
    await rig.outbox.post(note("one"))
    await sent(rig, note("one"))
    assert time.monotonic() - started >= 0.5
    assert bodies(rig.server) == ["hello"]
    assert len({txn for _, txn, _ in rig.server.sends}) == 1


async def test_what_comes_while_limited_is_ordered_by_worth(rig: Rig) -> None:
    rig.server.limits = [400]
    await rig.outbox.post(note("low", "low", rank=Rank.STATUS))
    await rig.server.wait(lambda: rig.server.sends)
    await rig.outbox.post(note("high", "high", rank=Rank.RESULT))
    await rig.server.wait(lambda: len(bodies(rig.server)) == 2)
    assert bodies(rig.server) == ["high", "low"]


async def test_reactions_are_forgone_when_the_limits_are_tight(rig: Rig) -> None:
    rig.server.limits = [60_000]
    reaction = event_content.reaction("k", "done", "$event", "✅")
    part = Part(key="k", part="done", room_id=ROOM, kind=Kind.REACTION, rank=Rank.REACTION, content=reaction)
    await rig.outbox.post(part)
    await rig.server.wait(lambda: rig.server.sends)
    await asyncio.sleep(0.1)
    assert await state(rig, part) is PartState.FAILED


async def test_a_limited_message_can_still_be_taken_back(rig: Rig) -> None:
    rig.server.limits = [60_000]
    await rig.outbox.post(note("status", rank=Rank.STATUS))
    await rig.server.wait(lambda: rig.server.sends)
    await asyncio.sleep(0.1)
    assert await rig.outbox.withdraw("k", "status")
    assert await state(rig, note("status")) is PartState.DROPPED


@pytest.mark.parametrize("forgets", [False, True], ids=["remembers", "forgets transactions"])
async def test_a_lost_answer_is_found_in_the_room(rig: Rig, forgets: bool) -> None:
    rig.server.forget_transactions = forgets
    rig.server.swallow = 1
    await rig.outbox.post(note("one"))
    await sent(rig, note("one"))
    assert bodies(rig.server) == ["hello"]
    assert len(rig.server.sends) == 1, "it was looked for before it would have been sent again"


async def test_an_outage_is_waited_for(rig: Rig) -> None:
    await rig.outbox.post(note("before"))
    await sent(rig, note("before"))
    rig.server.down = True
    await rig.outbox.post(note("one", "later"))
    await asyncio.sleep(0.5)
    assert bodies(rig.server) == ["hello"]
    rig.server.down = False
    await sent(rig, note("one"))
    assert bodies(rig.server) == ["hello", "later"]


@pytest.mark.parametrize("in_the_room", [False, True], ids=["not sent", "sent"])
async def test_a_crash_between_mark_and_answer(still: Rig, in_the_room: bool) -> None:
    part = note("one")
    await still.store.add_part(part)
    await still.store.mark_sending(*part.id)
    still.server.forget_transactions = True
    assert part.content is not None
    if in_the_room:
        still.server.add(ROOM, "@bot:test", "m.room.message", part.content)
    still.server.rooms.setdefault(ROOM, [])
    await still.parts.sending.start()
    await sent(still, part)
    assert bodies(still.server) == ["hello"]
    assert len(still.server.sends) == (0 if in_the_room else 1)


async def test_it_is_found_under_hundreds_of_newer_events(still: Rig) -> None:
    part = note("one")
    await still.store.add_part(part)
    await still.store.mark_sending(*part.id)
    assert part.content is not None
    still.server.add(ROOM, "@bot:test", "m.room.message", part.content)
    for number in range(250):
        still.server.add(ROOM, "@bot:test", "m.room.message", {"body": f"n{number}", "msgtype": "m.text"})
    await still.parts.sending.start()
    await sent(still, part)
    assert still.server.sends == []


async def test_nothing_is_sent_again_while_the_room_cannot_be_read(still: Rig) -> None:
    part = note("one")
    await still.store.add_part(part)
    await still.store.mark_sending(*part.id)
    still.server.down = True
    await still.parts.sending.start()
    await asyncio.sleep(0.4)
    assert still.server.sends == []
    still.server.down = False
    await sent(still, part)
    assert len(still.server.sends) == 1


async def test_what_is_forbidden_where_we_may_speak_is_final(rig: Rig) -> None:
    rig.server.create("!other")
    rig.server.forbidden.add("!other")
    part = note("one", room="!other")
    await rig.outbox.post(part)
    await rig.server.wait(lambda: rig.server.sends)
    await rig.until(lambda: not rig.outbox.waiting(*part.id))
    assert await state(rig, part) is PartState.FAILED
    assert len(rig.server.sends) == 2, "once more after the room was asked"


async def test_what_is_too_large_is_said_shorter(rig: Rig) -> None:
    rig.server.max_event = 2_000
    part = note("one", "long " * 2_000)
    await rig.outbox.post(part)
    await sent(rig, part)
    assert bodies(rig.server)[0].endswith("[…]")


async def test_edits_that_were_overtaken_are_not_sent(rig: Rig) -> None:
    rig.server.limits = [300]
    await rig.outbox.post(note("status", "first", rank=Rank.STATUS))
    await rig.server.wait(lambda: rig.server.sends)
    for text in ("a", "b", "c"):
        rig.outbox.edit("k", "status/edit", ROOM, "$event", {"msgtype": "m.notice", "body": text})
    await rig.server.wait(lambda: len(bodies(rig.server)) == 2)
    await asyncio.sleep(0.1)
    assert bodies(rig.server) == ["first", "* c"]
    newest = rig.server.of_bot(ROOM)[-1]["content"]
    assert newest["m.new_content"]["body"] == "c"
    assert newest["m.relates_to"] == {"rel_type": "m.replace", "event_id": "$event"}


async def test_a_locked_database_delays_but_never_doubles(rig: Rig) -> None:
    await rig.outbox.post(note("first"))
    await sent(rig, note("first"))
    part = note("one", "once")
    await rig.store.add_part(part)
    await rig.db.execute("PRAGMA busy_timeout = 100")
    with closing(sqlite3.connect(rig.path, isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        rig.outbox.enqueue([part])
        await asyncio.sleep(0.6)
        assert "once" not in bodies(rig.server), "it has to be marked before it goes out"
        lock.execute("ROLLBACK")
    await sent(rig, part)
    assert bodies(rig.server).count("once") == 1


async def test_a_lock_between_answer_and_mark(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is there, the mark cannot be made: it is made later, and nothing is sent twice."""
    failures = 3
    mark = rig.store.mark_sent

    async def failing(part: Part, event_id: str | None) -> bool:
        nonlocal failures
        if failures:
            failures -= 1
            raise OSError("locked")
        return await mark(part, event_id)

    monkeypatch.setattr(rig.store, "mark_sent", failing)
    await rig.outbox.post(note("one"))
    await sent(rig, note("one"))
    assert bodies(rig.server) == ["hello"]


async def test_in_an_encrypted_room_without_encryption_one_fixed_sentence(rig: Rig) -> None:
    rig.encryption.seen_encrypted(ROOM)
    request = await rig.ask(body={"count": 3})
    await rig.server.wait(lambda: bodies(rig.server))
    await rig.done(request)
    await asyncio.sleep(0.2)
    said: list[dict[str, Any]] = [event["content"] for event in rig.server.of_bot(ROOM)]
    assert len(said) == 1
    assert "otter" not in said[0]["body"].lower()
    assert "encrypt" in said[0]["body"]
    assert rig.server.media == {}
    assert (await rig.done(request)).outcome == "failed"
