"""The plugin that Maubot runs: has its parts built, starts and stops them."""

from __future__ import annotations

import asyncio
from functools import partial

from maubot.plugin_base import Plugin
from mautrix.types import RoomID
from mautrix.util.async_db import Database, UpgradeTable
from mautrix.util.config import BaseProxyConfig

from .. import commands, texts
from ..config import Config
from ..inbox import durable_sync, sync
from ..inbox.sync_watch import SyncWatch, restart_if_replaced
from ..store import durability
from ..store.migrations import upgrade_table
from ..worker.client import Address
from . import metrics
from .parts import Inbox, Parts, Surroundings, build, build_inbox, build_signing

READY_POLL = 0.5
"""Seconds between checks. Maubot does not notify plugins when their client starts later."""


class Otterbot(Plugin):
    """One per instance, made by Maubot. Has no handlers as methods: Maubot would register them before :meth:`start`."""

    config: Config
    _parts: Parts
    _inbox: Inbox
    _waiting: asyncio.Task[None] | None = None
    """The task that waits until Maubot has started the client."""

    @classmethod
    def get_config_class(cls) -> type[BaseProxyConfig]:
        return Config

    @classmethod
    def get_db_upgrade_table(cls) -> UpgradeTable:
        return upgrade_table

    async def start(self) -> None:
        """Never fails because the worker is away: an exception here would disable the instance."""
        self.config.load_and_update()
        assert isinstance(self.database, Database)  # maubot.yaml: database_type asyncpg
        self._parts = parts = await build(
            Surroundings(
                client=self.client,
                database=self.database,
                config=self.config,
                log=self.log,
                address=self._address,
                accept=lambda room: self.client.join_room(RoomID(room)),
                join=self._join,
                restart_sync=partial(sync.take_over, self.client),
            )
        )
        self._signing = signing = build_signing(parts)
        handle = partial(commands.handle, parts.services)
        self._inbox = build_inbox(parts, handle=handle, signed=lambda: signing.signed)
        if self.webapp is not None:  # Maubot takes it back when the instance stops
            self.webapp.add_get(metrics.PATH, metrics.Metrics(parts, self._inbox, lambda: self.config.current).answer)
        self._watch = SyncWatch(self, parts.services.warnings, self.log)
        await self._begin_when_ready()

    async def _join(self, room: str, server: str | None) -> None:
        await self.client.join_room(RoomID(room), [server] if server else None, max_retries=0)

    async def _begin_when_ready(self) -> None:
        if sync.ready(self.client):
            await self._begin()
        else:
            self.log.warning("Maubot has not reached the homeserver yet; everything begins when it has")
            self._waiting = asyncio.create_task(self._begin_later(), name="otterbot start")

    async def _begin(self) -> None:
        try:
            durable_sync.install(self.client, self.log)
            keys, warnings = self._parts.links.encryption.store, self._parts.services.warnings
            await durability.at_start(keys, warnings, texts.KEYS_NOT_DURABLE, self.log)
            await self._parts.start()
            self._inbox.events.start()
            await self._begin_sync()
        except BaseException:
            await self.stop()  # Maubot forgets an instance whose start failed, so stop everything
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
            await crypto.share_keys()  # standalone Maubot would share keys up to 30 s later
        self._watch.start()
        self._signing.start()

    async def stop(self) -> None:
        """End every task and close every session of the plugin; the database is Maubot's."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting is not asyncio.current_task():
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await self._watch.stop()
        await self._signing.stop()
        await self._inbox.events.stop()
        await self._parts.stop()

    def _address(self) -> Address:
        worker = self.config.current.worker
        return Address(url=worker.url, token=worker.token, token_file=worker.token_file, ca_file=worker.ca_file)
