"""Watches who syncs the client while the plugin runs.

Maubot's administrator changes a client at any time and tells no plugin: ``sync`` is switched off (the sync ends), the
cache is cleared (the same), token or device are renewed (another client object takes the place of ours). After each of
these the bot would receive nothing until the next restart.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from .. import texts
from . import sync

if TYPE_CHECKING:
    from maubot.instance import PluginInstance
    from maubot.plugin_base import Plugin
    from mautrix.client import Client

POLL = 1.0
"""Seconds between checks. Maubot has no event for any of this."""

_restarts: set[asyncio.Task[None]] = set()
"""Tasks that restart instances; they outlive the plugin object that started them."""


class SyncWatch:
    """One per plugin instance. ``warnings`` is the list that ``!status`` shows."""

    def __init__(self, plugin: Plugin, warnings: list[str], log: logging.Logger) -> None:
        self._plugin = plugin
        self._client: Client = plugin.client
        self._warnings = warnings
        self._log = log
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the sync where nobody does, then check every second."""
        self._warn(lossless=sync.take_over(self._client))
        self._task = asyncio.create_task(self._run(), name="otterbot who syncs")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            try:
                if restart_if_replaced(self._plugin, self._log):
                    return
                self._look()
            except Exception as error:
                self._log.error("Cannot see who syncs: %s", type(error).__name__)

    def _look(self) -> None:
        if not sync.ready(self._client):
            return  # Maubot stops the client, or starts it again: the instances follow
        if sync.ended(self._client):
            self._log.info("Nobody syncs the client any more; the plugin starts it")
            self._warn(lossless=sync.take_over(self._client))
        else:
            self._warn(lossless=not sync.by_maubot(self._client))

    def _warn(self, *, lossless: bool) -> None:
        warned = texts.SYNC_WARNING in self._warnings
        if lossless and warned:
            self._warnings.remove(texts.SYNC_WARNING)
        elif not lossless and not warned:
            self._warnings.append(texts.SYNC_WARNING)
            self._log.warning("%s", texts.SYNC_WARNING)


def restart_if_replaced(plugin: Plugin, log: logging.Logger) -> bool:
    """Restart the instance if Maubot has replaced the plugin's client."""
    owner = sync.owner_of(plugin.client)
    if owner is None or owner.client is plugin.client:
        return False
    instance = next((one for one in owner.references if one.plugin is plugin), None)
    if instance is None:
        return False  # Maubot is stopping it
    log.warning("Maubot has renewed the client (its token, device or homeserver); the instance starts again with it")
    task = asyncio.create_task(_restart(instance, log), name="otterbot restart")
    _restarts.add(task)
    task.add_done_callback(_restarts.discard)
    return True


async def _restart(instance: PluginInstance, log: logging.Logger) -> None:
    try:
        await instance.stop()
        await instance.start()
    except Exception as error:
        log.critical("The instance did not start again: %s; disable and enable it", type(error).__name__)
