"""The plugin's core on real SQLite, a real mautrix client, and doubles of homeserver and worker over HTTP."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from homeserver_double import BOT, ROOM, HomeserverDouble
from listening import Listening
from mautrix.client import Client
from mautrix.client.state_store import MemoryStateStore
from mautrix.types import UserID
from mautrix.util.async_db import Database
from worker_double import TOKEN, WorkerDouble

from otterbot.config import StatusValues, Values, WorkerValues
from otterbot.delivery import Delivery
from otterbot.encryption import Encryption
from otterbot.matrix_http import MatrixHttp
from otterbot.migrations import upgrade_table
from otterbot.outbox import Outbox
from otterbot.pictures import Pictures
from otterbot.records import Request, key_of
from otterbot.room_state import RoomStates
from otterbot.room_upgrades import RoomUpgrades
from otterbot.store import Commit, Store
from otterbot.worker_client import Address, WorkerClient

__all__ = ["LOG", "ROOM", "Rig"]
LOG = logging.getLogger("test.otterbot")


@dataclass(eq=False)
class Rig:
    """One life of the plugin's core; :meth:`start` another on the same database to restart it."""

    path: Path
    server: HomeserverDouble
    worker_server: WorkerDouble
    values: Values

    async def start(self) -> Rig:
        self.db = Database.create(f"sqlite:{self.path}", upgrade_table=upgrade_table)
        await self.db.start()
        self.store = Store(self.db)
        await self.store.open()
        self.client = Client(mxid=UserID(BOT), base_url=self.server.url, token="secret", state_store=MemoryStateStore())
        self.http = MatrixHttp(self.client.api, self.store.clock)
        self.encryption = Encryption(self.client)
        self.address = Address(url=self.worker_server.url, token=TOKEN)
        self.worker = WorkerClient(lambda: self.address)
        self.outbox = Outbox(self.store, self.http, self.encryption, BOT, LOG)
        self.delivery = Delivery(self.store, self.worker, self.outbox, lambda: self.values, LOG)
        pictures = Pictures(self.store, self.worker, self.outbox, self.http, self.encryption, prefix=lambda: "!")
        self.delivery.register("image", pictures)
        states = RoomStates(self.http, BOT)
        self.upgrades = RoomUpgrades(
            self.store, states, self.encryption, self.outbox, self.delivery, join=self.join,
            allowed=lambda user: user.endswith(":test"), bot=BOT, log=LOG,
        )  # fmt: skip
        return self

    async def join(self, room: str, server: str | None) -> None:
        if room in self.server.outside:
            raise PermissionError(room)

    async def run(self) -> Rig:
        await self.start()
        await self.delivery.start()
        self.upgrades.start()
        return self

    async def stop(self) -> None:
        """As a crash: nothing is tidied up but connections."""
        await self.upgrades.stop()
        await self.delivery.stop()
        await self.store.close()
        await self.worker.close()
        await self.http.close()
        await self.client.api.session.close()
        await self.db.stop()

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
        pictures = self.server.pictures(room)
        return [event["content"]["org.otterbot"]["record"]["used"]["seed"] for event in pictures]

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
    return Values(worker=WorkerValues(token=TOKEN), status=StatusValues(after_seconds=3, edit_seconds=1))


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
