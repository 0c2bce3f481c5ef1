"""What was missed is handled before what was said after it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from conftest import ROOM, Rig
from listening import Listening

from otterbot import order


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
    monkeypatch.setattr(order, "PATIENCE", 0.3)
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
    joined_at, failures = rig.store.joined_at, [sqlite3.OperationalError("database is locked")] * 2

    async def failing(room: str) -> float | None:
        if failures:
            raise failures.pop()
        return await joined_at(room)

    monkeypatch.setattr(rig.store, "joined_at", failing)
    rig.server.say(ROOM, "!say missed")
    await waking.hear("!say missed")


async def test_stopping_lets_nothing_through(rig: Rig, listening: Listening) -> None:
    rig.server.read_limits = [60_000]
    await listening.sync(rig.server.say(ROOM, "!say one"), limited=True)
    await listening.events.stop()
    await asyncio.sleep(0.1)
    assert listening.heard == []
    assert not await rig.store.is_handled("$event1"), "it is handled after the next start"
