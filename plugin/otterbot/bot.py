"""The composition root: builds the parts, ties them together, starts and stops them."""

from __future__ import annotations

import asyncio
from functools import partial

from maubot.plugin_base import Plugin
from mautrix.types import RoomID
from mautrix.util.async_db import Database, UpgradeTable
from mautrix.util.config import BaseProxyConfig

from . import commands, texts
from .chat.history import History
from .chat.turn_delivery import Chats
from .chat.typing_notice import Typing
from .commands.permissions import Permissions
from .commands.predecessors import Predecessors
from .commands.registry import VOCABULARY
from .commands.room_settings import RoomSettings
from .commands.services import Services
from .config import Config, Values
from .inbox import durable_sync, sync
from .inbox.backfill import CatchUp
from .inbox.events import Events
from .inbox.membership import Rooms
from .inbox.room_upgrades import RoomUpgrades
from .inbox.sync_watch import SyncWatch, restart_if_replaced
from .inbox.unread import Unread
from .matrix.addressing import Calls
from .matrix.cross_signing import CrossSigning
from .matrix.encryption import Encryption
from .matrix.http import MatrixHttp
from .matrix.room_state import RoomStates
from .outbox.sends import Outbox
from .requests.delivery import Delivery
from .requests.images import Pictures
from .store import durability
from .store.migrations import upgrade_table
from .store.recovery_keys import RecoveryKeys
from .store.store import Store
from .worker.client import Address, WorkerClient

READY_POLL = 0.5
"""Seconds. Maubot says nothing to plugins that are there already when their client starts."""


class Otterbot(Plugin):
    """Maubot makes one for each instance. It has no handlers of its own: Maubot would register
    those before :meth:`start`."""

    config: Config
    _events: Events
    _waiting: asyncio.Task[None] | None = None
    """The start, as long as Maubot has not started the client."""

    @classmethod
    def get_config_class(cls) -> type[BaseProxyConfig]:
        return Config

    @classmethod
    def get_db_upgrade_table(cls) -> UpgradeTable:
        return upgrade_table

    async def start(self) -> None:
        """Never fails for want of the worker: an exception here would disable the instance."""
        self.config.load_and_update()
        bot = str(self.client.mxid)
        assert isinstance(self.database, Database)  # maubot.yaml: database_type asyncpg
        self._store = store = Store(self.database)
        await store.open()
        self._http = http = MatrixHttp(self.client.api, store.clock)
        self._worker = worker = WorkerClient(self._address)
        encryption = Encryption(self.client)
        outbox = Outbox(store, http, encryption, bot, self.log)
        self._delivery = delivery = Delivery(store, worker, outbox, self._values, self.log)
        delivery.register("image", Pictures(store, worker, outbox, http, encryption, prefix=self._prefix))
        permissions = Permissions(self.client, self.config, store.clock)
        states = RoomStates(http, bot)
        predecessors = Predecessors(store, states, outbox, bot, self.log)
        calls = Calls(http, bot, prefix=self._prefix, commands=VOCABULARY)
        history = History(http, encryption, store, calls, bot=bot, values=self._values, allowed=permissions.may_use)
        typing = Typing(http, bot, delivery.worker_state, self._values)
        delivery.register("chat", Chats(store, worker, outbox, history, delivery.worker_state, typing, self._values))
        self._services = services = Services(
            config=self.config,
            client=self.client,
            store=store,
            worker=worker,
            delivery=delivery,
            http=http,
            encryption=encryption,
            settings=RoomSettings(store, self.config, predecessors),
            permissions=permissions,
            calls=calls,
            log=self.log,
        )
        rooms = Rooms(
            store,
            http,
            outbox,
            bot=bot,
            join=lambda room: self.client.join_room(RoomID(room)),
            allowed=permissions.may_use,
            prefix=self._prefix,
            log=self.log,
            follows=predecessors.follows,
        )
        self._upgrades = RoomUpgrades(
            store,
            states,
            encryption,
            outbox,
            delivery,
            join=lambda room, server: self.client.join_room(RoomID(room), [server] if server else None, max_retries=0),
            allowed=permissions.may_use,
            bot=bot,
            log=self.log,
        )
        recovery = RecoveryKeys(self.database)
        self._signing = CrossSigning(self.client, recovery, self._values, services.warnings, self.log)
        unread = Unread(
            store,
            outbox,
            bot=bot,
            allowed=permissions.may_use,
            signed=lambda: self._signing.signed,
            log=self.log,
        )
        services.reports.append(unread.report)
        self._events = Events(
            self.client,
            http,
            store,
            encryption,
            outbox,
            delivery,
            rooms,
            partial(CatchUp, http),
            handle=partial(commands.handle, services),
            unread=unread,
            values=self._values,
            restart_sync=partial(sync.take_over, self.client),
            heard_state=self._upgrades.heard,
            members_changed=permissions.members_changed,
            log=self.log,
        )
        self._watch = SyncWatch(self, services.warnings, self.log)
        await self._begin_when_ready()

    async def _begin_when_ready(self) -> None:
        if sync.ready(self.client):
            await self._begin()
        else:
            self.log.warning("Maubot has not reached the homeserver yet; everything begins when it has")
            self._waiting = asyncio.create_task(self._begin_later(), name="otterbot start")

    async def _begin(self) -> None:
        try:
            durable_sync.install(self.client, self.log)
            keys, warnings = self._services.encryption.store, self._services.warnings
            await durability.at_start(keys, warnings, texts.KEYS_NOT_DURABLE, self.log)
            await self._delivery.start()
            self._events.start()
            self._upgrades.start()
            await self._begin_sync()
        except BaseException:
            await self.stop()  # Maubot forgets an instance that did not start: nothing of it may go on
            raise

    async def _begin_later(self) -> None:
        while not sync.ready(self.client):
            await asyncio.sleep(READY_POLL)
            if restart_if_replaced(self, self.log):
                return
        try:
            await self._begin()
        except Exception as error:
            self.log.critical("The start failed: %s; disable and enable the instance", type(error).__name__)

    async def _begin_sync(self) -> None:
        crypto = self.client.crypto
        if crypto is not None and not crypto.account.shared:
            await crypto.share_keys()  # standalone Maubot would do it up to 30 s later
        self._watch.start()
        self._signing.start()

    async def stop(self) -> None:
        """Every task of ours ends, every session of ours is closed; the database outlives us."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting is not asyncio.current_task():
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await self._watch.stop()
        await self._signing.stop()
        await self._events.stop()
        await self._upgrades.stop()
        await self._delivery.stop()
        await self._store.close()
        await self._worker.close()
        await self._http.close()

    def _values(self) -> Values:
        return self.config.current

    def _prefix(self) -> str:
        return self._values().prefix

    def _address(self) -> Address:
        worker = self._values().worker
        return Address(url=worker.url, token=worker.token, token_file=worker.token_file, ca_file=worker.ca_file)
