"""Muted and unmuted, kicked and back: what was asked for comes when it can, or a sentence does."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from homeserver_double import BOT
from plugin_rig import ROOM, Rig

from otterbot import texts
from otterbot.outbox import results, room_watch
from otterbot.store.rows import Part, Rank, Request


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sync brings news at once; without one the rig looks itself."""
    monkeypatch.setattr(room_watch, "BACKOFF", (0.05,))
    monkeypatch.setattr(results, "UNREADABLE", 0.05)


def mute(rig: Rig) -> None:
    rig.server.forbidden.add(ROOM)
    rig.server.set_state(ROOM, "m.room.power_levels", {"events_default": 50})


def unmute(rig: Rig) -> None:
    rig.server.forbidden.discard(ROOM)
    rig.server.set_state(ROOM, "m.room.power_levels", {"users": {BOT: 50}, "events_default": 50})


def kick(rig: Rig, membership: str = "leave") -> None:
    rig.server.outside.add(ROOM)
    rig.server.set_state(ROOM, "m.room.member", {"membership": membership}, BOT)


def let_in(rig: Rig) -> None:
    rig.server.outside.discard(ROOM)
    rig.server.set_state(ROOM, "m.room.member", {"membership": "join"}, BOT)


async def drawing(rig: Rig, **more: Any) -> tuple[Request, dict[str, Any]]:
    """A request whose ⏳ stands in the room and whose picture is being drawn."""
    rig.server.create(ROOM)
    rig.worker_server.auto = False
    request = await rig.ask(**more)
    await rig.until(lambda: rig.worker_server.jobs and rig.reactions() == ["⏳"])
    return request, rig.worker_server.by_key(request.key)


async def refused(rig: Rig, count: int = 1) -> None:
    """Until so many sends of the picture have been refused."""
    await rig.until(lambda: sum(content.get("msgtype") == "m.image" for _, _, content in rig.server.sends) >= count)


@pytest.mark.parametrize(("shut", "open_again"), [(mute, unmute), (kick, let_in)])
async def test_the_picture_comes_when_it_can(rig: Rig, shut: Any, open_again: Any) -> None:
    request, job = await drawing(rig)
    shut(rig)
    rig.worker_server.draw_all(job)
    await refused(rig)
    assert (await rig.store.request(request.key)).open  # type: ignore[union-attr]
    open_again(rig)
    await rig.until(rig.seeds)
    assert (await rig.done(request)).outcome == "succeeded"
    assert rig.seeds() == [7]
    await rig.until(lambda: rig.reactions() == ["⏳", "✅"])


@pytest.mark.parametrize(("shut", "open_again"), [(mute, unmute), (kick, let_in)])
async def test_a_restart_meanwhile_changes_nothing(rig: Rig, shut: Any, open_again: Any) -> None:
    request, job = await drawing(rig)
    shut(rig)
    rig.worker_server.draw_all(job)
    await refused(rig)
    await rig.restart()
    await refused(rig, 2)
    open_again(rig)
    assert (await rig.done(request)).outcome == "succeeded"
    assert rig.seeds() == [7]


async def test_what_cannot_be_asked_is_asked_again(rig: Rig) -> None:
    request, job = await drawing(rig)
    mute(rig)
    rig.server.state_trouble = [502, 403, 404, 500]
    rig.worker_server.draw_all(job)
    await rig.until(lambda: not rig.server.state_trouble)
    unmute(rig)
    assert (await rig.done(request)).outcome == "succeeded"


async def test_who_waits_for_too_long_hears_it_when_it_can_be_said(rig: Rig) -> None:
    request, job = await drawing(rig, expires_at=time.time() + 1.5)
    mute(rig)
    rig.worker_server.draw_all(job)
    await refused(rig)
    assert (await rig.done(request)).outcome == "expired"
    await rig.until(lambda: request.key in rig.worker_server.cancelled)
    await rig.until(lambda: rig.worker_server.deleted)
    unmute(rig)
    [said] = await rig.until(rig.bodies)
    assert said == texts.could_not_speak(0)
    await rig.until(lambda: rig.reactions() == ["⏳", "❌"])
    assert rig.seeds() == []


async def test_a_ban_ends_it_and_is_said_if_ever(rig: Rig) -> None:
    request, job = await drawing(rig, body={"count": 2})
    kick(rig, "ban")
    rig.worker_server.draw(job, 0)
    assert (await rig.done(request)).outcome == "refused"
    await rig.until(lambda: request.key in rig.worker_server.cancelled)
    let_in(rig)
    [said] = await rig.until(rig.bodies)
    assert said == texts.BANNED_MEANWHILE
    assert rig.seeds() == []


async def test_a_send_that_may_have_happened_is_looked_for_first(rig: Rig) -> None:
    """The picture arrived, its answer did not, and then the bot was muted."""
    rig.server.forget_transactions = True
    request, job = await drawing(rig)
    rig.server.hold = lambda content: content.get("msgtype") == "m.image"
    rig.worker_server.draw_all(job)
    await rig.until(lambda: rig.server.held)
    await rig.stop()
    mute(rig)
    await rig.run()
    assert (await rig.done(request)).outcome == "succeeded"
    unmute(rig)
    await rig.until(lambda: rig.reactions() == ["⏳", "✅"])
    assert rig.seeds() == [7]


async def test_reactions_that_are_not_wanted_hold_up_nothing(rig: Rig) -> None:
    rig.server.create(ROOM)
    rig.server.set_state(ROOM, "m.room.power_levels", {"events": {"m.reaction": 50}})
    rig.server.forbid = lambda content: content.get("m.relates_to", {}).get("rel_type") == "m.annotation"
    request = await rig.ask()
    assert (await rig.done(request)).outcome == "succeeded"
    assert rig.seeds() == [7]
    await rig.until(lambda: rig.outbox._entries == {})


async def test_what_is_forbidden_where_we_may_speak_is_said(rig: Rig) -> None:
    rig.server.create(ROOM)
    rig.server.forbid = lambda content: content.get("msgtype") == "m.image"
    request = await rig.ask()
    assert (await rig.done(request)).outcome == "failed"
    assert await rig.until(rig.bodies) == [texts.NOT_POSTED]


async def test_other_rooms_do_not_wait(rig: Rig) -> None:
    await drawing(rig)
    mute(rig)
    rig.worker_server.auto = True
    request = await rig.ask("!other:test")
    assert (await rig.done(request)).outcome == "succeeded"


async def test_an_answer_to_a_command_waits_for_minutes_only(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_watch, "ANSWERS", 0.1)
    rig.server.create(ROOM)
    mute(rig)
    part = Part(key="k", part="reply", room_id=ROOM, content={"msgtype": "m.notice", "body": "x"}, rank=Rank.REFUSAL)
    await rig.outbox.post(part)
    await rig.until(lambda: rig.outbox._entries == {})
    unmute(rig)
    await asyncio.sleep(0.2)
    assert rig.bodies() == []


async def test_a_command_deleted_meanwhile_leaves_nothing(rig: Rig) -> None:
    request, job = await drawing(rig)
    mute(rig)
    rig.worker_server.draw_all(job)
    await refused(rig)
    await rig.delivery.cancelling.redacted(ROOM, request.event_id)
    unmute(rig)
    await rig.until(lambda: rig.reactions() == ["⏳", "❌"])
    assert rig.seeds() == []


async def test_a_status_from_before_ends_as_one_line(rig: Rig) -> None:
    rig.values = replace(rig.values, status=replace(rig.values.status, after_seconds=0.05, edit_seconds=0.05))
    request, job = await drawing(rig)
    await rig.until(rig.bodies)
    kick(rig)
    before = len(rig.server.sends)
    rig.worker_server.draw_all(job)
    await rig.until(lambda: len(rig.server.sends) > before)  # the picture, or an edit: whichever is refused first
    let_in(rig)
    await rig.done(request)
    await rig.until(lambda: "Done" in rig.server.of_bot(ROOM)[-1]["content"].get("m.new_content", {}).get("body", ""))
