"""What time it is, on machines whose clocks are set: the bot's, the homeserver's, or both."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
import pytest_asyncio
from homeserver_double import BOT
from listening import Listening
from plugin_rig import ROOM, Rig

from otterbot import clock as clocks
from otterbot.clock import Clock, Polls
from otterbot.requests.housekeeping import Housekeeping
from otterbot.store.store import Store

DAY = 86_400.0


def date(at: float) -> str:
    return format_datetime(datetime.fromtimestamp(at, UTC), usegmt=True)


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """By how much the machine's clock is set: the last of the list."""
    real, by = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + by[-1])
    return by


@pytest_asyncio.fixture
async def settled(listening: Listening, rig: Rig) -> Listening:
    """The time is known, and the sync runs."""
    await rig.store.clock.settle()
    await listening.sync()
    return listening


# ---------------------------------------------------------------- the clock itself


def test_it_is_not_set_with_the_machine(jump: list[float]) -> None:
    clock, before = Clock(), time.time()
    jump.append(3 * DAY)
    assert abs(clock.now() - before) < 60


def test_the_first_answer_counts_and_later_ones_need_a_second() -> None:
    clock, told = Clock(), list[float]()
    clock.settled.append(told.append)
    clock.moved.append(told.append)
    assert not clock.known
    clock.observe(date(time.time() - DAY))
    assert clock.known
    assert abs(told[0] + DAY) < 10
    for odd in (time.time() + DAY, time.time() - DAY, time.time() + 9 * DAY):
        clock.observe(date(odd))
    assert len(told) == 1, "one answer may come out of a cache"
    clock.observe(date(time.time() + 9 * DAY))
    assert abs(told[1] - 10 * DAY) < 10
    assert abs(clock.now() - time.time() - 9 * DAY) < 10


@pytest.mark.parametrize("header", [None, "", "yesterday", "Mon, 99 Foo 2026 99:99:99 GMT"])
def test_a_header_that_says_nothing(header: str | None) -> None:
    clock = Clock()
    clock.observe(header)
    assert clock.known
    assert abs(clock.now() - time.time()) < 10


async def test_it_asks_until_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "BACKOFF", (0.01,))
    clock, failures = Clock(), [OSError("away")] * 3

    async def ask() -> None:
        if failures:
            raise failures.pop()
        clock.observe(date(time.time() + DAY))

    clock.ask = ask
    await clock.settle()
    assert abs(clock.now() - time.time() - DAY) < 10


def test_what_a_poll_brings_was_said_since_the_last() -> None:
    clock = Clock()
    polls = Polls(clock)
    assert polls.answered() == (float("-inf"), float("inf")), "nobody knows what time it is"
    clock.observe(None)
    earliest, latest = polls.answered()
    assert earliest <= latest
    assert latest - earliest < 60


# ---------------------------------------------------------------- the bot, whose own clock is set


@pytest.mark.parametrize("by", [3 * DAY, -3 * DAY])
async def test_a_clock_that_is_set_makes_nobody_deaf(
    settled: Listening, rig: Rig, jump: list[float], by: float
) -> None:
    jump.append(by)
    rig.server.clock = lambda: time.time() - by  # the homeserver stands on another machine
    await settled.sync(rig.server.say(ROOM, "!say one"))
    await settled.hear("!say one")
    await settled.events.on_sync_error({})
    missed = rig.server.say(ROOM, "!say two")
    await settled.sync()
    await settled.hear("!say one", "!say two")
    assert missed["event_id"]


async def test_a_clock_that_is_set_ends_no_request(rig: Rig, jump: list[float]) -> None:
    rig.worker_server.auto = False
    rig.server.clock = lambda: time.time() - jump[-1]
    await rig.store.clock.settle()
    now = rig.store.clock.now()
    request = await rig.ask(created_at=now, expires_at=now + DAY)
    await rig.until(lambda: rig.worker_server.jobs)
    jump.append(3 * DAY)
    rig.delivery.signals.housekeeping.set()
    await rig.ask("!other:test")  # housekeeping has been round when this one stands
    await rig.until(lambda: len(rig.worker_server.jobs) == 2)
    rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
    await rig.done(request)
    assert rig.server.pictures(ROOM)


async def test_nothing_expires_before_the_time_is_known(rig: Rig, jump: list[float]) -> None:
    """A box that starts with a clock far ahead, while its homeserver is away."""
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs)
    await rig.stop()
    jump.append(40 * DAY)
    rig.server.down = True
    await rig.run()
    await asyncio.sleep(0.3)
    stored = await rig.store.request(request.key)
    assert stored is not None
    assert stored.open
    rig.server.clock = lambda: time.time() - 40 * DAY
    rig.server.down = False
    await rig.store.clock.settle()
    rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
    await rig.done(request)
    assert rig.server.pictures(ROOM)


async def test_the_age_of_the_database_is_the_homeservers(rig: Rig, jump: list[float]) -> None:
    """It is made while the clock is a year ahead."""
    await rig.stop()
    rig.path.unlink()
    jump.append(365 * DAY)
    rig.server.clock = lambda: time.time() - 365 * DAY
    await rig.start()
    await rig.store.clock.settle()
    await rig.store.close()
    again = Store(rig.db)
    await again.open()
    assert abs(again.installed_at - rig.server.clock()) < 60


# ---------------------------------------------------------------- the homeserver, whose clock is set


@pytest.mark.parametrize("by", [3 * DAY, -3 * DAY])
async def test_the_homeservers_clock_is_set(settled: Listening, rig: Rig, by: float) -> None:
    """Often both stand on one machine. Who waits goes on waiting, and who speaks is heard."""
    rig.worker_server.auto = False
    now = rig.store.clock.now()
    request = await rig.ask(created_at=now, expires_at=now + DAY)
    await rig.until(lambda: rig.worker_server.jobs)
    rig.server.clock = lambda: time.time() + by
    await settled.sync(rig.server.say(ROOM, "!say one"))
    await settled.hear("!say one")
    await rig.until(lambda: abs(rig.store.clock.now() - rig.server.clock()) < 60)
    live = rig.delivery.active(request.key)
    assert live is not None
    assert abs(live.request.created_at - now - by) < 60
    await stored_as(rig, request.key, live.request.expires_at)
    await settled.events.on_sync_error({})
    rig.server.say(ROOM, "!say two")
    await settled.sync()
    await settled.hear("!say one", "!say two")


async def test_a_request_of_the_future(rig: Rig) -> None:
    """The homeserver's clock was ahead, and was set while the bot did not run."""
    rig.worker_server.auto = False
    ahead = time.time() + 30 * DAY
    request = await rig.ask(created_at=ahead, expires_at=ahead + DAY, sent_at=ahead)
    await rig.until(lambda: rig.worker_server.jobs)
    await rig.restart()
    await stored_as(rig, request.key, time.time() + DAY)


async def stored_as(rig: Rig, key: str, expires_at: float) -> None:
    end = time.monotonic() + 60
    while (found := await rig.store.request(key)) is None or abs(found.expires_at - expires_at) > 60:
        assert time.monotonic() < end, found
        await asyncio.sleep(0.02)


async def test_the_greeting_is_not_too_old(settled: Listening, rig: Rig) -> None:
    rig.server.clock = lambda: time.time() - 9 * DAY
    join = rig.server.add("!new:test", BOT, "m.room.member", {"membership": "join"}, state_key=BOT)
    await settled.sync(join, room="!new:test")
    await rig.until(lambda: rig.bodies("!new:test"))


async def test_housekeeping_forgets_nothing_before_the_time_is_known(rig: Rig) -> None:
    store = Store(rig.db, Clock())
    store.clock.ask = rig.http.versions
    pruned: list[float] = []

    async def prune(now: float) -> None:
        pruned.append(now)

    store.prune = prune  # type: ignore[method-assign]

    async def expire(_: object) -> None:
        raise AssertionError("it expires")

    housekeeping = Housekeeping(store, rig.worker, expire, asyncio.Event(), rig.delivery._log)
    await housekeeping._prune()
    assert not pruned
    store.clock.observe(None)
    await housekeeping._prune()
    assert pruned
