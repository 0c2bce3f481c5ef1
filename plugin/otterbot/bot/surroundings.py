"""What the plugin is given, and its connections to database, homeserver and worker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from logging import Logger

from mautrix.client import Client
from mautrix.util.async_db import Database

from ..config import Config, Values
from ..matrix.encryption import Encryption
from ..matrix.http import MatrixHttp
from ..matrix.room_state import RoomStates
from ..store.store import Store
from ..worker.client import Address, WorkerClient


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the plugin gets from Maubot, and callbacks into it."""

    client: Client
    database: Database
    config: Config
    log: Logger
    address: Callable[[], Address]
    """The worker's address."""
    accept: Callable[[str], Awaitable[object]]
    """Accept an invitation to a room."""
    join: Callable[[str, str | None], Awaitable[object]]
    """Try once to join a room, through a homeserver that knows it (``None``: our own)."""
    restart_sync: Callable[[], object]

    @property
    def bot(self) -> str:
        return str(self.client.mxid)

    def values(self) -> Values:
        """The current settings."""
        return self.config.current

    def prefix(self) -> str:
        return self.config.current.prefix


@dataclass(frozen=True, kw_only=True)
class Links:
    """Connections: database, homeserver, worker."""

    store: Store
    http: MatrixHttp
    encryption: Encryption
    states: RoomStates
    worker: WorkerClient


async def connect(around: Surroundings) -> Links:
    """Sets up the database; speaks to nobody yet."""
    store = Store(around.database)
    await store.open()
    http = MatrixHttp(around.client.api, store.clock)
    return Links(
        store=store,
        http=http,
        encryption=Encryption(around.client),
        states=RoomStates(http, around.bot),
        worker=WorkerClient(around.address),
    )
