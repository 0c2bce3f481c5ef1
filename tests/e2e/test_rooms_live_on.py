"""Kicked, banned or muted and back, upgraded; and a command that is deleted while its picture is on its way.

What was asked for comes into the room where people are now, once, and what was set there holds.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest

from lab import Lab
from lab.events import Ev
from lab.lab import INSTANCE, key_of, transaction_id
from lab.proc import until
from lab.timeline import timeline

from .conftest import QUICK


@pytest.fixture
async def paused(lab: Lab) -> AsyncIterator[None]:
    """The card is taken: what is asked for stays open until the test lets it be drawn."""
    await lab.worker.api("POST", "/v1/pause", {})
    yield
    await lab.worker.api("POST", "/v1/resume")


async def ask(lab: Lab, room: str, line: str = f"!draw otter {QUICK}") -> str:
    mark = lab.user.mark()
    asked = await lab.user.send(room, line)
    await lab.user.wait_for(lab.reaction(asked, "⏳"), mark)
    return asked


async def upgrade(lab: Lab, room: str) -> str:
    """The moderator upgrades the room, and invites who was in it, as clients do; the new one."""
    path = f"/_matrix/client/v3/rooms/{quote(room)}/upgrade"
    new: str = (await lab.admin.api("POST", path, {"new_version": "12"}))["replacement_room"]
    for user in (lab.user.id, lab.bot):
        await lab.admin.api("POST", f"/_matrix/client/v3/rooms/{quote(new)}/invite", {"user_id": user})
    await lab.user.join(new)
    for person in (lab.admin, lab.user):
        await person.wait_member(new, lab.bot)
    return new


async def set_power(lab: Lab, room: str, **levels: Any) -> None:
    path = f"/_matrix/client/v3/rooms/{quote(room)}/state/m.room.power_levels/"
    now = await lab.admin.api("GET", path)
    await lab.admin.api("PUT", path, {**now, **levels})


async def drawn_in_vain(lab: Lab, elsewhere: str) -> None:
    """Let it be drawn and uploaded. What is answered ``elsewhere`` after that comes behind the try to send it."""
    with lab.matrix_proxy.counting("POST", "/_matrix/media/v3/upload") as uploads:
        await lab.worker.api("POST", "/v1/resume")
        await uploads.times_seen(2)
    await lab.answer(elsewhere, "!help")


def picture_of(lab: Lab, room: str, asked: str) -> str:
    """Where the picture is sent to."""
    return f"/send/[^/]+/{transaction_id(key_of(lab.bot, room, asked), 'picture/0')}"


def stored(lab: Lab, key: str, column: str) -> str | None:
    """What the plugin has stored of a request."""
    with closing(sqlite3.connect(f"file:{lab.plugin_database}?mode=ro", uri=True, timeout=10)) as database:
        row = database.execute(f"SELECT {column} FROM requests WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]


def outcome(lab: Lab, key: str) -> str | None:
    """How the request ended."""
    return stored(lab, key, "outcome")


async def comes_once(lab: Lab, room: str, asked: str, asked_in: str, mark: int) -> Ev:
    """The picture, and no second one by the time that a later command has been answered."""
    key = key_of(lab.bot, asked_in, asked)
    event = await lab.user.wait_for(lambda e: e.own.get("key") == key and e.msgtype == "m.image", mark, 60)
    await lab.answer(room, "!help")
    places = [place for place in {room, asked_in} for one in await lab.pictures(place) if one.key == key]
    assert places == [room]
    return event


async def test_muted_and_unmuted(lab: Lab, paused: None) -> None:
    room, elsewhere = await lab.room(), await lab.room()
    mark = lab.user.mark()
    asked = await ask(lab, room)
    await set_power(lab, room, events_default=60)
    await drawn_in_vain(lab, elsewhere)
    await set_power(lab, room, events_default=0)
    await comes_once(lab, room, asked, room, mark)
    await lab.user.wait_for(lab.reaction(asked, "✅"), mark)


async def test_kicked_and_back(lab: Lab, paused: None) -> None:
    room, elsewhere = await lab.room(encrypted=True), await lab.room()
    mark = lab.user.mark()
    asked = await ask(lab, room)
    path = f"/_matrix/client/v3/rooms/{quote(room)}"
    await lab.admin.api("POST", f"{path}/kick", {"user_id": lab.bot})
    await drawn_in_vain(lab, elsewhere)
    await lab.admin.api("POST", f"{path}/invite", {"user_id": lab.bot})
    for user in (lab.admin, lab.user):
        await user.wait_member(room, lab.bot)
    await comes_once(lab, room, asked, room, mark)


@pytest.mark.parametrize("heard", [True, False], ids=["heard", "unheard"])
async def test_banned_and_back(lab: Lab, paused: None, heard: bool) -> None:
    """What was asked for ends at once, with the worker as well. Unheard: the client syncs on without the plugin."""
    room = await lab.room(encrypted=True)
    key = key_of(lab.bot, room, await ask(lab, room))
    await until(lambda: stored(lab, key, "state") == "submitted", "the worker has it")
    path = f"/_matrix/client/v3/rooms/{quote(room)}"
    if not heard:
        await lab.maubot.set_running(INSTANCE, False)
    await lab.admin.api("POST", f"{path}/ban", {"user_id": lab.bot})
    if not heard:
        await asyncio.sleep(1)  # a sync goes by
        await lab.maubot.set_running(INSTANCE, True)
        await lab.maubot.wait_instance(INSTANCE)
    async with asyncio.timeout(10):
        while (await lab.worker.job(key) or {}).get("state") != "cancelled":  # noqa: ASYNC110  nothing else tells
            await asyncio.sleep(0.1)
    assert outcome(lab, key) == "refused"
    mark = lab.user.mark()
    await lab.admin.api("POST", f"{path}/unban", {"user_id": lab.bot})
    await lab.admin.api("POST", f"{path}/invite", {"user_id": lab.bot})
    for user in (lab.admin, lab.user):
        await user.wait_member(room, lab.bot)
    said = await lab.user.wait_for(lambda e: e.own.get("key") == key and e.own.get("part") == "final", mark, 30)
    assert "banned" in said.body
    await lab.worker.api("POST", "/v1/resume")
    [picture] = await lab.draw(room, f"!draw otter {QUICK}")
    assert picture.encrypted


async def test_upgraded_with_an_open_request(lab: Lab, encrypted: bool, paused: None) -> None:
    room = await lab.room(encrypted=encrypted, version="11")
    mark = lab.user.mark()
    asked = await ask(lab, room)
    new = await upgrade(lab, room)
    await lab.worker.api("POST", "/v1/resume")
    event = await comes_once(lab, new, asked, room, mark)
    assert event.encrypted is encrypted
    assert event.replies_to is None
    assert event.body.startswith("For member, asked for in the room before this one.")
    mine = [one for one in await timeline(lab.user, new) if one.sender == lab.bot and "Hello" in one.body]
    assert mine == [], "a room that goes on is not greeted again"


async def test_who_comes_into_the_new_room_after_the_bot_reads_what_was_said(lab: Lab, paused: None) -> None:
    """Who is invited gets the room's key with those who are in it."""
    room = await lab.room(encrypted=True, version="11")
    mark = lab.user.mark()
    key = key_of(lab.bot, room, await ask(lab, room))
    path = f"/_matrix/client/v3/rooms/{quote(room)}/upgrade"
    new = (await lab.admin.api("POST", path, {"new_version": "12"}))["replacement_room"]
    for user in (lab.user.id, lab.bot):
        await lab.admin.api("POST", f"/_matrix/client/v3/rooms/{quote(new)}/invite", {"user_id": user})
    await lab.worker.api("POST", "/v1/resume")
    await lab.admin.wait_for(lambda e: e.own.get("key") == key and e.msgtype == "m.image", timeout=60)
    await lab.user.join(new)
    event = await lab.user.wait_for(lambda e: e.own.get("key") == key and e.msgtype == "m.image", mark, 30)
    assert event.encrypted
    assert (await lab.draw(new, f"!draw otter {QUICK}"))[0].encrypted


async def test_settings_and_the_last_picture_go_with_an_upgrade(lab: Lab) -> None:
    room = await lab.room(version="11")
    await lab.draw(room, f"!draw otter {QUICK} --seed 4711")
    assert "Safe mode is on" in (await lab.answer(room, "!settings safe on", by=lab.admin)).body
    assert "Steps" in (await lab.answer(room, "!settings steps 3", by=lab.admin)).body
    new = await upgrade(lab, room)
    line = await lab.user.wait_for(lab.from_bot(new, msgtype="m.notice"))
    assert "safe mode on" in line.body
    assert "safety checker is not on the worker" in (await lab.answer(new, f"!draw otter {QUICK}")).body
    assert "Safe mode is off" in (await lab.answer(new, "!settings safe off", by=lab.admin)).body
    (picture,) = await lab.draw(new, f"!again --seed same {QUICK}")
    assert picture.record["used"]["seed"] == 4711
    (picture,) = await lab.draw(new, "!draw otter")
    assert picture.record["used"]["steps"] == 3


async def test_a_command_deleted_while_its_picture_is_sent(lab: Lab, paused: None) -> None:
    room = await lab.room()
    mark = lab.user.mark()
    asked = await ask(lab, room)
    key = key_of(lab.bot, room, asked)
    with lab.matrix_proxy.hold_after("PUT", picture_of(lab, room, asked)) as sending:
        await lab.worker.api("POST", "/v1/resume")
        await sending.reached()
        await lab.user.redact(room, asked)
        await until(lambda: outcome(lab, key) == "cancelled", "the request is cancelled")
    await lab.user.wait_for(lab.reaction(asked, "❌"), mark)
    picture = await lab.user.wait_for(lambda e: e.own.get("key") == key and e.msgtype == "m.image", mark)
    await lab.user.wait_for(lambda e: e.type == "m.room.redaction" and e.redacts == picture.event_id, mark)
    assert [one for one in await lab.pictures(room) if one.key == key] == []
