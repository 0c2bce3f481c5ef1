"""How far the walks go, and that none of them stops another."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from homeserver_double import BOT
from listening import Listening
from plugin_rig import ROOM, Rig

from otterbot.inbox import holdback


async def test_rooms_that_cannot_be_read_hold_up_no_other(rig: Rig, listening: Listening) -> None:
    rig.server.read_limits = [60_000] * 3
    for name in ("!a:test", "!b:test", "!c:test"):
        await listening.sync(rig.server.say(name, "hello"), limited=True, room=name)
    await rig.until(lambda: not rig.server.read_limits)
    rig.server.say(ROOM, "!say missed")
    await listening.sync(rig.server.say(ROOM, "!say last"), limited=True)
    await listening.hear("!say missed", "!say last")


async def test_behind_many_comings_and_goings(rig: Rig, listening: Listening) -> None:
    rig.server.say(ROOM, "!say missed")
    for number in range(150):
        user = f"@user{number}:test"
        rig.server.add(ROOM, user, "m.room.member", {"membership": "join"}, state_key=user)
    await listening.sync(limited=True)
    await listening.hear("!say missed")


async def test_what_was_said_right_before_the_bot_was_put_out(rig: Rig, listening: Listening) -> None:
    """It comes back, and has not heard it yet; what was said while it was out was not meant for it."""

    def member(membership: str, before: str | None = None, sender: str = "@user:test") -> dict[str, Any]:
        old = {} if before is None else {"unsigned": {"prev_content": {"membership": before}}}
        return rig.server.add(ROOM, sender, "m.room.member", {"membership": membership}, state_key=BOT, **old)

    member("invite")
    member("join", "invite", BOT)
    rig.server.say(ROOM, "!say missed")
    member("leave", "join")
    rig.server.say(ROOM, "!say not meant for it")
    member("invite", "leave")
    await listening.sync(member("join", "invite", BOT))
    await listening.hear("!say missed")


async def test_behind_what_came_while_the_walk_waited(
    rig: Rig, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holdback, "PATIENCE", 0.1)
    rig.server.read_limits = [1_000]
    rig.server.say(ROOM, "!say missed")
    await listening.sync(limited=True)
    await listening.sync(*(rig.server.say(ROOM, "chatter") for _ in range(150)))
    await listening.hear("!say missed")


async def test_what_failed_is_found_behind_what_did_not(
    rig: Rig, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has failed twice; all that came after it is known."""
    monkeypatch.setattr("otterbot.waiting.TRIES", 0)
    commit, failures = rig.store.commit, [OSError("locked")] * 2

    async def failing(what: Any) -> Any:
        if failures:
            raise failures.pop()
        return await commit(what)

    monkeypatch.setattr(rig.store, "commit", failing)
    await listening.sync(rig.server.say(ROOM, "!say one"), *(rig.server.say(ROOM, "chatter") for _ in range(150)))
    await rig.until(lambda: len(failures) == 1)
    await asyncio.sleep(0.3)
    await listening.sync()
    await rig.until(lambda: not failures)
    await asyncio.sleep(0.3)
    await listening.sync()
    await rig.until(lambda: rig.bodies() == ["!say one"])


async def test_no_further_than_what_is_known(rig: Rig, listening: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the bot itself has spoken: what comes next waits for the walk."""
    for _ in range(400):
        await listening.sync(rig.server.say(ROOM, "chatter"))
        rig.server.say(ROOM, "an answer", sender=BOT)
    messages, pages = rig.http.messages, 0

    async def counted(*args: Any, **more: Any) -> Any:
        nonlocal pages
        pages += 1
        return await messages(*args, **more)

    monkeypatch.setattr(rig.http, "messages", counted)
    await listening.events.on_sync_error({})
    await listening.sync(rig.server.say(ROOM, "!say one"))
    await listening.hear("!say one")
    assert pages == 2


async def test_a_room_that_cannot_be_understood_ends_no_other_walk(
    rig: Rig, listening: Listening, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    messages = rig.http.messages

    async def failing(room: str, **more: Any) -> Any:
        if room == "!broken:test":
            raise ValueError(room)
        return await messages(room, **more)

    monkeypatch.setattr(rig.http, "messages", failing)
    for room in ("!broken:test", ROOM):
        rig.server.say(room, "!say missed")
    await listening.events.on_sync_error({})
    await listening.sync()
    await listening.hear("!say missed")
    assert "A room cannot be walked: ValueError" in caplog.text
    assert "!broken:test" not in caplog.text
