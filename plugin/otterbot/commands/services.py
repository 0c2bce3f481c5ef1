"""The parts that commands work with, put together once by ``bot``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from logging import Logger

from mautrix.client import Client

from ..chat.pace import Paces
from ..config import Config
from ..matrix.addressing import Calls
from ..matrix.encryption import Encryption
from ..matrix.http import MatrixHttp
from ..requests.delivery import Delivery
from ..store.store import Store
from ..worker.client import WorkerClient
from .limits import Limits
from .permissions import Permissions
from .room_settings import RoomSettings


@dataclass(frozen=True, kw_only=True)
class Services:
    """One per plugin instance. ``config.current`` changes when the operator saves; read it each time."""

    config: Config
    client: Client
    http: MatrixHttp
    encryption: Encryption
    store: Store
    worker: WorkerClient
    delivery: Delivery
    settings: RoomSettings
    permissions: Permissions
    limits: Limits
    calls: Calls
    log: Logger
    warnings: list[str] = field(default_factory=list)
    """Sentences about this instance that ``!status`` shows (the client's own sync is on, …).
    Parts add their warnings and remove them when they no longer hold."""
    paces: Paces = field(default_factory=Paces)
    reports: list[Callable[[str], list[str]]] = field(default_factory=list)
    """Each says what ``!status`` should warn of in a room."""
    chat_threads: dict[tuple[str, str], bool] = field(default_factory=dict)
    """(room, root) → is it a chat with the bot? For roots that only the homeserver knows; kept while
    the instance runs, emptied when it grows."""
