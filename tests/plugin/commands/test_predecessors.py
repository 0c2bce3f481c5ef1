"""What was set in a room holds in the one that replaces it, if it really does."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest_asyncio
from homeserver_double import BOT, HomeserverDouble
from listening import Listening
from plugin_rig import LOG, ROOM, Rig, rig

from otterbot.commands import predecessors
from otterbot.commands.predecessors import Predecessors
from otterbot.commands.room_settings import MODEL, SAFE, RoomSettings
from otterbot.config import Config
from otterbot.matrix.room_state import RoomStates
from otterbot.store.store import Commit

__all__ = ["rig"]
NEW = "!new:test"


class Settings(RoomSettings):
    """Of a rig, with its rooms' predecessors."""

    def __init__(self, rig: Rig) -> None:
        states = RoomStates(rig.http, BOT)
        config = cast(Config, SimpleNamespace(current=rig.values))
        super().__init__(rig.store, config, Predecessors(rig.store, states, rig.outbox, BOT, LOG))
        self.store = rig.store

    async def put(self, room: str, name: str, value: str | None) -> None:
        await self.store.commit(Commit(mark=None, room_id=room, setting=(name, value)))


@pytest_asyncio.fixture
async def settings(rig: Rig, monkeypatch: Any) -> Settings:
    monkeypatch.setattr(predecessors, "TRIES", (0.01, 0.01))
    rig.server.create(ROOM)
    await rig.store.joined(ROOM, 1.0)
    made = Settings(rig)
    await made.put(ROOM, SAFE, "on")
    await made.put(ROOM, MODEL, "ssd-1b")
    return made


def said(server: HomeserverDouble, room: str = NEW) -> list[str]:
    return [event["content"]["body"] for event in server.of_bot(room)]


async def test_settings_go_with_an_upgrade_and_it_is_said_once(rig: Rig, settings: Settings) -> None:
    rig.server.upgrade(ROOM, NEW)
    assert await settings.safe(NEW)
    assert (await settings.model(NEW)).name == "ssd-1b"
    await rig.until(lambda: said(rig.server))
    await rig.restart()
    settings = Settings(rig)
    assert await settings.safe(NEW)
    await asyncio.sleep(0.1)
    [line] = said(rig.server)
    assert "safe mode on" in line
    assert "ssd-1b" in line


async def test_the_new_rooms_own_settings_win(rig: Rig, settings: Settings) -> None:
    rig.server.upgrade(ROOM, NEW)
    await settings.put(NEW, SAFE, "off")
    assert not await settings.safe(NEW)
    assert (await settings.model(NEW)).name == "ssd-1b"
    await rig.until(lambda: said(rig.server))
    assert "safe mode" not in said(rig.server)[0]


async def test_they_go_with_several_upgrades(rig: Rig, settings: Settings) -> None:
    rig.server.upgrade(ROOM, "!between:test")
    rig.server.upgrade("!between:test", NEW)
    assert await settings.safe(NEW)
    assert await settings.predecessors.of(NEW) == "!between:test"  # type: ignore[union-attr]


async def test_a_room_that_only_claims_to_replace_another_gets_nothing(rig: Rig, settings: Settings) -> None:
    rig.server.create(NEW, ROOM)
    assert not await settings.safe(NEW)
    rig.server.set_state(ROOM, "m.room.tombstone", {"replacement_room": "!else:test"})
    assert not await settings.safe(NEW)
    assert (await settings.model(NEW)).source != "room"


async def test_a_room_in_a_circle_ends(rig: Rig, settings: Settings) -> None:
    rig.server.create(NEW, NEW)
    rig.server.set_state(NEW, "m.room.tombstone", {"replacement_room": NEW})
    assert not await settings.safe(NEW)


async def test_what_cannot_be_asked_is_drawn_in_safe_mode_and_asked_again(rig: Rig, settings: Settings) -> None:
    rig.server.create(NEW)
    rig.server.state_trouble = [502, 404, 503]
    assert await settings.safe(NEW), "not known: nothing is drawn without safe mode"
    assert not await settings.safe(NEW)


async def test_a_room_out_of_sight_hands_on_what_restricts(rig: Rig, settings: Settings) -> None:
    rig.server.upgrade(ROOM, NEW)
    rig.server.unreadable.add(ROOM)
    assert await settings.safe(NEW)
    assert (await settings.model(NEW)).source != "room"


async def test_what_is_set_back_does_not_come_back(rig: Rig, settings: Settings) -> None:
    rig.server.upgrade(ROOM, NEW)
    assert await settings.safe(NEW)
    await settings.put(NEW, SAFE, None)
    assert not await settings.safe(NEW)


async def test_an_upgraded_room_is_not_greeted_again(rig: Rig, settings: Settings, listening: Listening) -> None:
    listening.rooms._follows = settings.predecessors.follows  # type: ignore[union-attr]
    rig.server.upgrade(ROOM, NEW)
    for room in (NEW, "!other:test"):
        rig.server.create("!other:test")
        event = rig.server.add(room, BOT, "m.room.member", {"membership": "join"}, state_key=BOT)
        await listening.rooms.arrived(room, event)
    await rig.until(lambda: said(rig.server) and said(rig.server, "!other:test"))
    assert "Hello" in said(rig.server, "!other:test")[0]
    assert len(said(rig.server)) == 1
    assert "Hello" not in said(rig.server)[0]
