"""Banned: what was asked for ends at once, with the worker as well. Kicked: it waits."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from aiohttp import web
from backups import moved
from homeserver_double import BOT
from listening import Listening
from plugin_rig import ROOM, Rig

from otterbot import texts
from otterbot.matrix.room_state import Place
from otterbot.outbox import results, room_watch
from otterbot.store.rows import Request

NEW = "!new:test"


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_watch, "BACKOFF", (0.05,))
    monkeypatch.setattr(results, "UNREADABLE", 0.05)


async def drawing(rig: Rig, **more: Any) -> tuple[Request, dict[str, Any]]:
    """A request whose ⏳ stands in the room and whose picture is being drawn."""
    rig.server.create(ROOM)
    rig.worker_server.auto = False
    request = await rig.ask(**more)
    await rig.until(lambda: rig.worker_server.jobs and rig.reactions() == ["⏳"])
    return request, rig.worker_server.by_key(request.key)


async def is_open(rig: Rig, request: Request) -> bool:
    found = await rig.store.request(request.key)
    assert found is not None
    return found.open


def back(rig: Rig) -> dict[str, Any]:
    """Unbanned before, invited and there again."""
    rig.server.outside.discard(ROOM)
    rig.server.set_state(ROOM, "m.room.member", {"membership": "join"}, BOT)
    return rig.server.state[ROOM, "m.room.member", BOT]


async def test_the_sync_tells_it(rig: Rig, listening: Listening, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is drawn yet, so no send is refused: it is the ban itself that ends it."""
    caplog.set_level(logging.INFO)
    request, job = await drawing(rig)
    await listening.sync_left(ROOM, rig.server.ban(ROOM))
    assert (await rig.done(request, 2)).outcome == "refused"
    await rig.until(lambda: job["state"] == "cancelled", 2)
    assert rig.server.first_syncs == 0, "it has been told"
    assert "Banned from a room; its open requests end: 1" in caplog.text


async def test_what_was_drawn_of_it_is_deleted(rig: Rig, listening: Listening) -> None:
    rig.server.instead = lambda request: web.Response(status=502) if "upload" in request.path else None
    request, job = await drawing(rig, body={"count": 2})
    rig.worker_server.draw(job, 0)
    await rig.until(lambda: rig.outbox.waiting(request.key, "picture/0"))
    await listening.sync_left(ROOM, rig.server.ban(ROOM))
    await rig.done(request)
    await rig.until(lambda: rig.worker_server.deleted == [job["pictures"][0]["result"]["image_id"]])


async def test_unbanned_and_invited_later_it_is_said(rig: Rig, listening: Listening) -> None:
    request, _ = await drawing(rig)
    await listening.sync_left(ROOM, rig.server.ban(ROOM))
    await rig.done(request)
    await listening.sync_left(ROOM, rig.server.unban(ROOM))
    await listening.sync(back(rig))
    await rig.until(lambda: texts.BANNED_MEANWHILE in rig.bodies())
    await rig.until(lambda: rig.reactions() == ["⏳", "❌"])
    rig.worker_server.auto = True
    assert (await rig.done(await rig.ask())).outcome == "succeeded"


async def test_a_kick_waits(rig: Rig, listening: Listening) -> None:
    request, job = await drawing(rig)
    rig.server.outside.add(ROOM)
    rig.server.set_state(ROOM, "m.room.member", {"membership": "leave"}, BOT)
    await listening.sync_left(ROOM, rig.server.state[ROOM, "m.room.member", BOT])
    await rig.until(lambda: rig.outbox.blocked.place(ROOM) is Place.OUT)
    rig.worker_server.draw_all(job)
    await asyncio.sleep(0.3)
    assert await is_open(rig, request)
    # Before the bot is back: a look that was refused a moment earlier may ask, since the kick is then history.
    assert rig.server.first_syncs == 0, "it has been told"
    await listening.sync(back(rig))
    assert (await rig.done(request)).outcome == "succeeded"
    assert rig.seeds() == [7]


async def test_a_ban_that_is_over_before_it_is_heard_of_ends_nothing(rig: Rig, listening: Listening) -> None:
    request, job = await drawing(rig)
    ban, unban = rig.server.ban(ROOM), rig.server.unban(ROOM)
    await listening.sync_left(ROOM, ban, unban)
    await rig.until(lambda: rig.outbox.blocked.place(ROOM) is Place.OUT)
    await listening.sync(ban, unban, back(rig))
    rig.worker_server.draw_all(job)
    assert (await rig.done(request)).outcome == "succeeded"


async def test_back_while_the_ban_is_looked_into(rig: Rig, listening: Listening) -> None:
    """The homeserver's answers are slow: when they come, the bot is there again, and the ban is history."""
    request, job = await drawing(rig)
    rig.server.down = True
    await listening.sync_left(ROOM, rig.server.ban(ROOM))
    await asyncio.sleep(0.2)
    rig.server.unban(ROOM)
    event = back(rig)
    rig.server.down = False
    await listening.sync(event)
    rig.worker_server.draw_all(job)
    assert (await rig.done(request)).outcome == "succeeded"


async def test_banned_while_nobody_listened(rig: Rig) -> None:
    """The sync has told it to nobody; it is asked for once."""
    request, _ = await drawing(rig)
    await rig.stop()
    rig.server.ban(ROOM)
    await rig.run()
    assert (await rig.done(request)).outcome == "refused"
    await rig.until(lambda: request.key in rig.worker_server.cancelled)
    await asyncio.sleep(0.3)
    assert rig.server.first_syncs == 1


async def test_banned_and_the_send_is_refused(rig: Rig) -> None:
    request, job = await drawing(rig)
    rig.server.ban(ROOM)
    rig.worker_server.draw_all(job)
    assert (await rig.done(request)).outcome == "refused"
    await rig.until(lambda: rig.worker_server.deleted)


async def test_what_cannot_be_asked_ends_nothing(rig: Rig) -> None:
    request, _ = await drawing(rig)
    await rig.stop()
    rig.server.ban(ROOM)
    rig.server.sync_trouble = [502, 404, 200, 500]
    await rig.run()
    await rig.until(lambda: rig.server.first_syncs == 3)
    assert await is_open(rig, request)
    assert (await rig.done(request)).outcome == "refused"


@pytest.mark.parametrize("answer", ["refusal", "nothing of it"])
async def test_what_nobody_knows_ends_nothing(rig: Rig, answer: str) -> None:
    """A homeserver that shows nothing of a room which was forgotten: that is not a ban."""
    request, _ = await drawing(rig)
    await rig.stop()
    rig.server.outside.add(ROOM)
    rig.server.unreadable.add(ROOM)
    if answer == "refusal":
        refusal = {"errcode": "M_INVALID_PARAM"}
        rig.server.instead = lambda request: (
            web.json_response(refusal, status=400) if request.path.endswith("/sync") else None
        )
    await rig.run()
    await rig.until(lambda: rig.outbox.blocked.place(ROOM) is Place.OUT)
    await asyncio.sleep(0.3)
    assert await is_open(rig, request)
    assert rig.server.first_syncs <= 1


async def test_an_answer_that_was_overtaken_counts_for_nothing(rig: Rig) -> None:
    """Asked while it was banned; by the time that the answer comes, the sync has told that it is not any more."""
    departures = rig.upgrades._states.departures
    ask = rig.http.first_sync
    rig.server.ban(ROOM)

    async def slow(wanted: Any) -> Any:
        answer = await ask(wanted)
        departures.heard(ROOM, rig.server.unban(ROOM))
        return answer

    rig.http.first_sync = slow  # type: ignore[method-assign]
    assert await departures.membership(ROOM) == "leave"


async def test_what_has_moved_does_not_end_with_a_ban_from_the_old_room(rig: Rig, listening: Listening) -> None:
    request, job = await drawing(rig)
    rig.server.upgrade(ROOM, NEW)
    await listening.sync(rig.server.state[ROOM, "m.room.tombstone", ""])
    await moved(rig, request)
    await listening.sync_left(ROOM, rig.server.ban(ROOM))
    await asyncio.sleep(0.3)
    rig.worker_server.draw_all(job)
    assert (await rig.done(request)).outcome == "succeeded"
    assert (rig.seeds(), rig.seeds(NEW)) == ([], [7])


async def test_rooms_that_nothing_waits_for_are_left_alone(rig: Rig, listening: Listening) -> None:
    """A first sync names all rooms that the bot was ever put out of."""
    asked: list[str] = []
    rig.server.instead = lambda request: asked.append(request.path)
    events = [rig.server.ban(f"!old{number}:test") for number in range(30)]
    for event in events:
        await listening.sync_left(event["room_id"], event)
    await asyncio.sleep(0.3)
    assert [path for path in asked if "/messages" not in path] == []


ODD: list[Any] = [None, 5, [], {"timeline": 5}, {"timeline": {"events": [5, {"type": "m.room.member"}]}}]


@pytest.mark.parametrize("odd", ODD)
async def test_odd_sections_do_no_harm(listening: Listening, odd: Any) -> None:
    await listening.events.on_sync({"data": {"rooms": {"leave": {ROOM: odd}}}})
    await listening.events.on_sync({"data": {"rooms": {"leave": odd}}})
    await listening.sync(listening.rig.server.say(ROOM, "!say one"))
    await listening.hear("!say one")
