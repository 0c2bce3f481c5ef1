""" "Could not ask" is not "no": what a message means is asked again, and the room's order is kept."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import Any

import pytest
from homeserver_double import BOT
from listening import Listening
from plugin_rig import ROOM, Rig

from otterbot.commands.outcome import Outcome
from otterbot.errors import AnswerLost, RateLimited, Unanswered
from otterbot.inbox import failures as failures_module
from otterbot.inbox.failures import Failures
from otterbot.language.message import Message

OTHER = "!other:test"


def broken(
    listening: Listening, monkeypatch: pytest.MonkeyPatch, *errors: Exception, room: str = ROOM
) -> list[Exception]:
    """What messages of that room mean cannot be told, as often as there are ``errors``."""
    left, handle = list(errors), listening.handle

    async def failing(message: Message) -> Outcome | None:
        if message.room_id == room and message.body.startswith("!") and left:
            raise left.pop(0)
        return await handle(message)

    monkeypatch.setattr(listening.events._handler, "_handle", failing)
    return left


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otterbot.waiting.FIRST", 0.01)
    monkeypatch.setattr("otterbot.waiting.LONGEST", 0.01)


@pytest.mark.usefixtures("hasty")
async def test_it_is_asked_again_in_order(listening: Listening, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = sqlite3.OperationalError("database is locked")
    left = broken(listening, monkeypatch, Unanswered("x"), AnswerLost("HTTP 503", 503), RateLimited(30.0), locked)
    await listening.sync(rig.server.say(ROOM, "!say one"), rig.server.say(ROOM, "!say two"))
    await listening.hear("!say one", "!say two")
    assert not left


async def test_the_others_go_on(listening: Listening, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(listening, monkeypatch, *[Unanswered("x")] * 100)
    await listening.sync(rig.server.say(ROOM, "!say never"))
    await listening.sync(rig.server.say(OTHER, "!say one"), room=OTHER)
    await listening.hear("!say one")


@pytest.mark.usefixtures("hasty")
async def test_in_the_end_it_is_said(listening: Listening, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(listening, monkeypatch, *[Unanswered("x", sentence="I could not ask.")] * 100)
    await listening.sync(rig.server.say(ROOM, "!say one"))
    await rig.until(lambda: rig.bodies() == ["I could not ask."])


@pytest.mark.usefixtures("hasty")
async def test_what_may_not_be_meant_for_us_comes_again(
    listening: Listening, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next message of the room does not wait for ever, and the lost one is found by a walk of its room alone."""
    monkeypatch.setattr("otterbot.waiting.TRIES", 1)
    broken(listening, monkeypatch, Unanswered("x"), Unanswered("x"))
    joined_rooms, walks = rig.http.joined_rooms, 0

    async def counted() -> list[str]:
        nonlocal walks
        walks += 1
        return await joined_rooms()

    monkeypatch.setattr(rig.http, "joined_rooms", counted)
    await listening.sync(rig.server.say(ROOM, "!say one"), rig.server.say(ROOM, "!say two"))
    await listening.hear("!say two")
    await listening.sync()
    await listening.hear("!say two", "!say one")
    assert walks == 0


@pytest.mark.usefixtures("hasty")
async def test_what_comes_after_it_is_not_held_up_as_long_each_time(
    listening: Listening, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = broken(listening, monkeypatch, *[Unanswered("x")] * 100)
    await listening.sync(*(rig.server.say(ROOM, f"!say {number}") for number in range(5)))
    await rig.until(lambda: len(left) == 100 - 13 - 4 * 3)


def test_a_room_that_can_never_be_asked_does_not_spin() -> None:
    failures, now, walks = Failures(), 0.0, 0
    failures.failed("$one", ROOM, since=0.0, now=now)
    while now < 24 * 3600:
        if failures.due(now):
            walks += 1
            failures.failed("$one", ROOM, since=0.0, now=now)
        now += 30
    assert walks < 40
    failures.over("$one")
    assert failures.due(now + 2 * failures_module.LONGEST) == {}


def test_many_failures_are_not_kept_for_ever() -> None:
    failures = Failures()
    for number in range(3 * failures_module.MOST):
        failures.failed(f"${number}", ROOM, since=1.0, now=0.0)
    assert failures.due(0.0) == {ROOM: 1.0}


# ---------------------------------------------------------------- since when


def invite(rig: Rig, room: str = ROOM) -> dict[str, Any]:
    return rig.server.add(room, "@user:test", "m.room.member", {"membership": "invite"}, state_key=BOT)


def join(rig: Rig, room: str = ROOM, before: str = "invite") -> dict[str, Any]:
    unsigned = {"prev_content": {"membership": before}, "prev_sender": "@user:test"}
    return rig.server.add(room, BOT, "m.room.member", {"membership": "join"}, state_key=BOT, unsigned=unsigned)


@pytest.mark.parametrize("way", ["sync", "walk"])
@pytest.mark.parametrize("behind", [0.0, 600.0])
async def test_what_was_said_after_the_invitation_counts(
    listening: Listening, rig: Rig, way: str, behind: float
) -> None:
    """Element creates the room with the first message. The bot comes later, and clocks may differ."""
    rig.store.installed_at -= 7200
    real = time.time
    rig.server.clock = lambda: real() - behind
    events = [rig.server.say(ROOM, "!say before"), invite(rig), rig.server.say(ROOM, "!say one", "@user:far.test")]
    rig.server.clock = real
    events += [join(rig), rig.server.say(ROOM, "!say two")]
    await listening.sync()
    if way == "sync":
        await listening.sync(*events)
    else:
        await listening.sync(limited=True)
    await listening.hear("!say one", "!say two")
    await rig.until(lambda: len(rig.bodies()) == 3)


@pytest.mark.parametrize("way", ["sync", "walk"])
async def test_a_public_room_counts_from_the_coming(listening: Listening, rig: Rig, way: str) -> None:
    events = [rig.server.say(ROOM, "!say before"), join(rig, before="leave"), rig.server.say(ROOM, "!say after")]
    await (listening.sync(*events) if way == "sync" else listening.sync(limited=True))
    await listening.hear("!say after")


@pytest.mark.parametrize("minutes", [-20, 20])
async def test_a_homeserver_whose_clock_is_off_hides_nothing(listening: Listening, rig: Rig, minutes: int) -> None:
    """Its people come into the room after the bot did, whatever their times say."""
    rig.store.installed_at = time.time() - 60
    await rig.store.clock.settle()
    await listening.sync(join(rig))
    real = time.time
    rig.server.clock = lambda: real() + minutes * 60
    far = rig.server.say(ROOM, "!say far", "@user:far.test")
    rig.server.clock = real
    await listening.sync(far)
    await listening.hear("!say far")
    # And missed, behind something that our own homeserver dates:
    rig.server.say(ROOM, "chatter")
    rig.server.clock = lambda: real() + minutes * 60
    rig.server.say(ROOM, "!say missed", "@user:far.test")
    await listening.events.on_sync_error({})
    await listening.sync()
    await listening.hear("!say far", "!say missed")


@pytest.mark.parametrize("days", [-9, 9])
async def test_a_walk_does_not_age_what_the_sync_brings(listening: Listening, rig: Rig, days: int) -> None:
    """A limited answer is walked, and both find the same message."""
    await rig.store.clock.settle()
    await listening.sync()
    real = time.time
    rig.server.clock = lambda: real() + days * 86_400
    far = rig.server.say(ROOM, "!say far", "@user:far.test")
    rig.server.clock = real
    await listening.sync(far, limited=True)
    await listening.hear("!say far")


# ---------------------------------------------------------------- greetings


@pytest.mark.parametrize("room_type", [None, "m.space", "org.example.other"])
async def test_nobody_is_greeted_in_a_space(listening: Listening, rig: Rig, room_type: str | None) -> None:
    content = {"room_version": "11"} if room_type is None else {"room_version": "11", "type": room_type}
    rig.server.state[ROOM, "m.room.create", ""] = {"type": "m.room.create", "sender": "@user:test", "content": content}
    await listening.sync(join(rig))
    await listening.sync(rig.server.say(ROOM, "!say one"))
    await rig.until(lambda: "!say one" in rig.bodies())
    if room_type == "m.space":
        await asyncio.sleep(0.3)
        assert rig.bodies() == ["!say one"]
    else:
        await rig.until(lambda: len(rig.bodies()) == 2)


@pytest.mark.usefixtures("hasty")
async def test_a_greeting_waits_until_it_is_known_where_it_is(
    listening: Listening, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    state_event, errors = rig.http.state_event, [AnswerLost("HTTP 502", 502)] * 20

    async def failing(*args: Any) -> Any:
        if errors:
            raise errors.pop()
        return await state_event(*args)

    monkeypatch.setattr(rig.http, "state_event", failing)
    monkeypatch.setattr("otterbot.commands.predecessors.TRIES", ())
    await listening.sync(join(rig))
    await rig.until(rig.bodies)
    assert not errors


async def test_an_invitation_is_accepted_when_the_homeserver_is_back(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otterbot.inbox.membership.JOIN_TRIES", (0.01,))
    errors: list[Exception] = [OSError("away")] * 10

    async def failing(room: str) -> None:
        if errors:
            raise errors.pop()
        await listening.rig.accept(room)

    monkeypatch.setattr(listening.rooms, "_join", failing)
    member = {"type": "m.room.member", "state_key": BOT, "sender": "@user:test", "content": {"membership": "invite"}}
    await listening.sync(invite={"!a:x": {"invite_state": {"events": [member]}}})
    await listening.rig.until(lambda: listening.joined == ["!a:x"])
