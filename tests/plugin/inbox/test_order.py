"""What was missed is handled before what was said after it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from listening import Listening
from plugin_rig import ROOM, Rig

from otterbot.inbox import backfill, holdback


@pytest_asyncio.fixture
async def waking(rig: Rig) -> AsyncIterator[Listening]:
    """Started a moment ago: no walk has begun yet."""
    made = Listening(rig)
    made.start()
    yield made
    await made.events.stop()


async def test_after_a_start(rig: Rig, waking: Listening) -> None:
    """mautrix keeps its place in the sync before anything is handled: a killed bot gets only what comes later."""
    missed = [rig.server.say(ROOM, f"!say {number}") for number in range(3)]
    assert missed
    await waking.sync(rig.server.say(ROOM, "!say last"))
    await waking.hear("!say 0", "!say 1", "!say 2", "!say last")


async def test_after_a_failed_sync(rig: Rig, listening: Listening) -> None:
    await listening.events.on_sync_error({})
    rig.server.say(ROOM, "!say missed")
    await listening.sync(rig.server.say(ROOM, "!say last"))
    await listening.hear("!say missed", "!say last")


async def test_after_a_limited_answer(rig: Rig, listening: Listening) -> None:
    rig.server.say(ROOM, "!say missed")
    await listening.sync(rig.server.say(ROOM, "!say last"), limited=True)
    await listening.sync(rig.server.say(ROOM, "!say next"))
    await listening.hear("!say missed", "!say last", "!say next")


async def test_two_walks_of_one_room(rig: Rig, listening: Listening) -> None:
    """The second is asked for while the first one is under way, and reads the room again after it."""
    rig.server.say(ROOM, "!say one")
    await listening.sync(rig.server.say(ROOM, "!say two"), limited=True)
    rig.server.say(ROOM, "!say three")
    await listening.sync(rig.server.say(ROOM, "!say four"), limited=True)
    await listening.hear("!say one", "!say two", "!say three", "!say four")


async def test_other_rooms_do_not_wait(rig: Rig, listening: Listening) -> None:
    rig.server.read_limits = [60_000]
    await listening.sync(rig.server.say("!other:test", "!say waits"), limited=True, room="!other:test")
    await listening.sync(rig.server.say(ROOM, "!say here"))
    await listening.hear("!say here")


async def test_a_homeserver_that_cannot_be_walked_makes_nobody_deaf(
    rig: Rig, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holdback, "PATIENCE", 0.3)
    rig.server.read_limits = [60_000] * 3
    await listening.sync(rig.server.say(ROOM, "!say one"), limited=True)
    await asyncio.sleep(0.1)
    assert listening.heard == []
    await listening.hear("!say one")
    await listening.sync(rig.server.say(ROOM, "!say two"))
    await listening.hear("!say one", "!say two")


async def test_a_room_that_refuses_its_timeline(rig: Rig, listening: Listening) -> None:
    rig.server.unreadable.add(ROOM)
    await listening.sync(rig.server.say(ROOM, "!say one"), limited=True)
    await listening.hear("!say one")


async def test_a_locked_database_does_not_end_a_walk(
    rig: Rig, waking: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, failures = rig.http.messages, [sqlite3.OperationalError("database is locked")] * 2

    async def failing(room: str, **more: Any) -> Any:
        if failures:
            raise failures.pop()
        return await messages(room, **more)

    monkeypatch.setattr(rig.http, "messages", failing)
    rig.server.say(ROOM, "!say missed")
    await waking.hear("!say missed")


async def test_stopping_lets_nothing_through(rig: Rig, listening: Listening) -> None:
    rig.server.read_limits = [60_000]
    await listening.sync(rig.server.say(ROOM, "!say one"), limited=True)
    await listening.events.stop()
    await asyncio.sleep(0.1)
    assert listening.heard == []
    assert not await rig.store.is_handled("$event1"), "it is handled after the next start"


async def test_after_a_walk_that_has_lasted_too_long(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The homeserver was away at the start, and the sync has found it again before the walk did."""
    monkeypatch.setattr(backfill, "BACKOFF", (60.0,))
    monkeypatch.setattr(holdback, "PATIENCE", 0.1)
    async with away_at_its_start(rig) as waking:
        monkeypatch.setattr(holdback, "PATIENCE", 15.0)
        await waking.events.on_sync_error({})
        rig.server.say(ROOM, "!say missed")
        await waking.sync(rig.server.say(ROOM, "!say last"))
        await waking.hear("!say missed", "!say last")


async def test_a_walk_that_sleeps_holds_up_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one has learned which rooms there are."""
    monkeypatch.setattr(backfill, "BACKOFF", (60.0,))
    async with away_at_its_start(rig) as waking:
        await waking.events.on_sync_error({})
        new = rig.server.say(ROOM, "!say new")
        rig.server.rooms[ROOM].remove(new)  # the walks do not find it, so it comes with the sync alone
        await waking.sync(new)
        await rig.until(lambda: waking.heard == ["!say new"])


async def test_nothing_waits_twice(rig: Rig, listening: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is known which rooms there are, and then for the walk of its room."""
    monkeypatch.setattr(holdback, "PATIENCE", 2.0)
    rig.server.read_limits = [60_000] * 3
    joined_rooms = rig.http.joined_rooms

    async def slow() -> list[str]:
        await asyncio.sleep(1.5)
        return await joined_rooms()

    monkeypatch.setattr(rig.http, "joined_rooms", slow)
    await listening.events.on_sync_error({})
    await listening.sync(rig.server.say(ROOM, "!say one"))
    await rig.until(lambda: listening.heard == ["!say one"], 3)


@asynccontextmanager
async def away_at_its_start(rig: Rig) -> AsyncIterator[Listening]:
    """Its first walk has found no homeserver; now there is one again."""
    rig.server.down = True
    made = Listening(rig)
    made.start()
    await asyncio.sleep(0.3)
    rig.server.down = False
    try:
        yield made
    finally:
        await made.events.stop()
