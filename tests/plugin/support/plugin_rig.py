"""The plugin's core on real SQLite, a real mautrix client, and doubles of homeserver and worker over HTTP."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from homeserver_double import BOT, ROOM, HomeserverDouble
from listening import Listening
from plugin_parts import build_parts, config_of, stop_parts
from worker_double import TOKEN, WorkerDouble

from otterbot.config import ReactionValues, StatusValues, Values, WorkerValues
from otterbot.store.rows import Request, key_of
from otterbot.store.store import Commit
from otterbot.worker.client import Address

__all__ = ["LOG", "ROOM", "Rig"]
LOG = logging.getLogger("test.otterbot")


class Rig:
    """One life of the plugin's core; :meth:`start` another on the same database to restart it."""

    def __init__(self, path: Path, server: HomeserverDouble, worker_server: WorkerDouble, values: Values) -> None:
        self.path = path
        self.server = server
        self.worker_server = worker_server
        self.config = config_of(values)

    @property
    def values(self) -> Values:
        return self.config.current

    @values.setter
    def values(self, values: Values) -> None:
        self.config.current = values

    async def start(self) -> Rig:
        self.address = Address(url=self.worker_server.url, token=TOKEN)
        self.parts = parts = await build_parts(
            self.path, bot=BOT, homeserver=self.server.url, config=self.config, address=lambda: self.address, log=LOG,
            join=self.join, accept=self.accept,
        )  # fmt: skip
        self.client, self.db = parts.around.client, parts.around.database
        links = parts.links
        self.store, self.http, self.encryption, self.worker = links.store, links.http, links.encryption, links.worker
        self.outbox, self.delivery, self.upgrades = parts.outbox, parts.delivery, parts.upgrades
        self.joined: list[str] = []
        return self

    async def accept(self, room: str) -> None:
        self.joined.append(room)

    async def join(self, room: str, server: str | None) -> None:
        if room in self.server.outside:
            raise PermissionError(room)

    async def run(self) -> Rig:
        await self.start()
        await self.parts.start()
        return self

    async def stop(self) -> None:
        await stop_parts(self.parts)

    async def restart(self) -> None:
        await self.stop()
        await self.run()

    def request(self, event: dict[str, Any], **more: Any) -> Request:
        now = time.time()
        body = {"prompt": "an otter", "seed": 7, "count": 1}
        body.update(more.pop("body", {}))
        return Request(
            key=key_of(BOT, event["room_id"], event["event_id"]), room_id=event["room_id"],
            event_id=event["event_id"], kind="image", body=body,
            **{"sender": event["sender"], "created_at": now, "expires_at": now + 3600, **more},
        )  # fmt: skip

    async def ask(self, room: str = ROOM, **more: Any) -> Request:
        """What a handled ``!draw`` leads to."""
        request = self.request(self.server.say(room, "!draw an otter"), **more)
        parts = self.delivery.first_parts(request)
        await self.store.commit(Commit(mark=request.event_id, room_id=room, request=request, parts=parts))
        self.outbox.enqueue(parts)
        self.delivery.accepted_request(request)
        return request

    async def done(self, request: Request, timeout: float = 60) -> Request:
        end = time.monotonic() + timeout
        while True:
            found = await self.store.request(request.key)
            assert found is not None
            if not found.open:
                return found
            assert time.monotonic() < end, "the request is not done"
            await asyncio.sleep(0.02)

    async def until(self, check: Callable[[], Any], timeout: float = 60) -> Any:
        """Until ``check()`` is true; its value."""
        end = time.monotonic() + timeout
        while not (value := check()):
            assert time.monotonic() < end, "it did not happen"
            await asyncio.sleep(0.01)
        return value

    def seeds(self, room: str = ROOM) -> list[int]:
        """The seeds of the pictures that stand in the room."""
        marks = [event["content"]["org.otterbot"] for event in self.server.pictures(room)]
        return [mark["record"]["used"]["seed"] for mark in marks if "record" in mark]

    def bodies(self, room: str = ROOM) -> list[str]:
        return [event["content"].get("body", "") for event in self.server.of_bot(room)]

    def reactions(self, room: str = ROOM) -> list[str]:
        return [event["content"]["m.relates_to"]["key"] for event in self.server.of_bot(room, "m.reaction")]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[HomeserverDouble]:
    async with HomeserverDouble() as double:
        yield double


@pytest_asyncio.fixture
async def worker_server() -> AsyncIterator[WorkerDouble]:
    async with WorkerDouble() as double:
        yield double


@pytest.fixture
def values() -> Values:
    return Values(
        worker=WorkerValues(token=TOKEN),
        status=StatusValues(after_seconds=3, edit_seconds=1),
        reactions=ReactionValues(offer=()),  # tests of reactions count those that belong to a request
    )


@pytest_asyncio.fixture
async def rig(
    tmp_path: Path, server: HomeserverDouble, worker_server: WorkerDouble, values: Values
) -> AsyncIterator[Rig]:
    built = await Rig(tmp_path / "plugin.db", server, worker_server, values).run()
    yield built
    await built.stop()


@pytest_asyncio.fixture
async def listening(rig: Rig) -> AsyncIterator[Listening]:
    made = Listening(rig)
    made.start()
    await asyncio.sleep(0.05)
    yield made
    await made.events.stop()
