"""Restarts, lost answers, mutes, kicks and upgrades in any order: each picture stands in one room, once."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from homeserver_double import BOT
from plugin_rig import ROOM, Rig

from otterbot.errors import NotAllowed
from otterbot.outbox import results, room_watch
from otterbot.store.rows import Request

ACTIONS = ("draw", "draw", "shut", "kick", "open", "upgrade", "restart", "swallow")


class Turmoil:
    """A room that is shut, opened and replaced, while its requests are drawn."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self.rig, self.random = rig, random.Random(seed)
        self.rooms = [ROOM]
        rig.server.create(ROOM)
        rig.server.forget_transactions = True
        rig.worker_server.auto = False

    @property
    def room(self) -> str:
        return self.rooms[-1]

    async def act(self) -> None:
        rig = self.rig
        match self.random.choice(ACTIONS):
            case "draw":
                waiting = [job for job in rig.worker_server.jobs.values() if job["state"] == "queued"]
                if waiting:
                    rig.worker_server.draw_all(self.random.choice(waiting))
            case "shut":
                rig.server.forbidden.add(self.room)
                rig.server.set_state(self.room, "m.room.power_levels", {"events_default": 50})
            case "kick":
                rig.server.outside.add(self.room)
                rig.server.set_state(self.room, "m.room.member", {"membership": "leave"}, BOT)
            case "open":
                self.open()
            case "upgrade" if len(self.rooms) < 4:
                new = f"!new{len(self.rooms)}:test"
                rig.server.upgrade(self.room, new)
                rig.server.forbidden.add(self.room)
                rig.upgrades.heard(self.room, rig.server.state[self.room, "m.room.tombstone", ""])
                self.rooms.append(new)
            case "restart":
                await rig.restart()
            case "swallow":
                rig.server.swallow = 1

    def open(self) -> None:
        self.rig.server.outside.discard(self.room)
        self.rig.server.forbidden.discard(self.room)
        self.rig.server.set_state(self.room, "m.room.power_levels", {})

    async def end(self, requests: list[Request]) -> dict[str, list[str]]:
        """Everything is opened and drawn; the rooms in which each request's picture stands."""
        self.open()
        self.rig.server.swallow = 0
        await self.rig.until(lambda: len(self.rig.worker_server.jobs) == len(requests))
        for job in list(self.rig.worker_server.jobs.values()):
            self.rig.worker_server.draw_all(job)
        for request in requests:
            assert (await self.rig.done(request, 30)).outcome == "succeeded"
        found: dict[str, list[str]] = {request.key: [] for request in requests}
        for room in self.rooms:
            for picture in self.rig.server.pictures(room):
                found[picture["content"]["org.otterbot"]["key"]].append(room)
        return found


@pytest.mark.parametrize("seed", range(6))
async def test_each_picture_comes_once(rig: Rig, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(room_watch, "BACKOFF", (0.05,))
    monkeypatch.setattr(results, "UNREADABLE", 0.05)
    turmoil = Turmoil(rig, seed)
    requests = [await rig.ask() for _ in range(3)]
    for _ in range(8):
        await turmoil.act()
        await asyncio.sleep(turmoil.random.random() * 0.1)
    rooms = await turmoil.end(requests)
    assert all(len(places) == 1 for places in rooms.values()), rooms


async def test_an_upload_that_is_forbidden_is_tried_twice_and_said(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_watch, "BACKOFF", (0.05,))
    rig.server.create(ROOM)
    tried: list[int] = []

    async def upload(*_: Any) -> str:
        tried.append(1)
        raise NotAllowed(403, "M_FORBIDDEN")

    monkeypatch.setattr(rig.http, "upload", upload)
    request = await rig.ask()
    assert (await rig.done(request)).outcome == "failed"
    await rig.until(rig.bodies)
    assert 2 <= len(tried) <= 4, "picture and thumbnail, each twice at most"
