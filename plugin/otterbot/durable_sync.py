"""Room keys that a sync brings are stored before the homeserver forgets them.

It deletes what it sent to this device when the next sync names the last answer. mautrix names it at once, and stores
it as done, while keys are still being decrypted, and drops a key that the database does not take: after a kill, or on
a full disk, the bot would be deaf in a room for good. So here the next sync waits for the keys of the last one, writes
are repeated until they are taken, and the place that is stored is the one before the last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from mautrix.client.state_store import SyncStore
from mautrix.types import EventType, SyncToken

from .durable import passes

if TYPE_CHECKING:
    from logging import Logger

    from mautrix.client import Client

WRITES = ("put_account", "add_session", "update_session", "put_group_session")
"""Of the store of keys. Each says how something is now, so that it may be done twice."""
SECONDS = (0.2, 1.0, 5.0)
ORIGINAL = "otterbot_original"
"""What an earlier life of the plugin has wrapped is unwrapped by that name."""


class PlaceBefore(SyncStore):
    """mautrix's ``SyncStore`` around another one: what it stores is not further than what was taken in."""

    def __init__(self, inner: Any, log: Logger) -> None:
        self.otterbot_original = inner
        self._log = log
        self._latest: SyncToken | None = None
        self._stored: SyncToken | None = None

    async def put_next_batch(self, next_batch: SyncToken) -> None:
        """Called with each answer, when all of the one before has been handled."""
        taken_in, self._latest = self._latest, next_batch
        if taken_in is None:
            self._stored = await self.otterbot_original.get_next_batch()
            if self._stored:
                return  # the next start asks for this answer again
            taken_in = next_batch  # the first of all: asking for it again would be asking for everything
        await surely(lambda: self.otterbot_original.put_next_batch(taken_in), self._log)
        self._stored = taken_in

    async def get_next_batch(self) -> SyncToken:
        stored = SyncToken(await self.otterbot_original.get_next_batch() or "")
        if self._latest is not None and stored == self._stored:
            return self._latest
        self._latest = None  # somebody has set it
        return stored


def install(client: Client, log: Logger) -> None:
    """Before the sync begins; again after a reload of the plugin, which leaves the client as it is."""
    inner = getattr(client.sync_store, ORIGINAL, client.sync_store)
    client.sync_store = PlaceBefore(inner, log) if _alone(client) else inner
    crypto = client.crypto
    if crypto is None:
        return
    # With this the next sync waits for it. mautrix registers it as something that goes on beside.
    client.remove_event_handler(EventType.TO_DEVICE_ENCRYPTED, crypto.handle_to_device_event)
    client.add_event_handler(EventType.TO_DEVICE_ENCRYPTED, crypto.handle_to_device_event, wait_sync=True)
    for name in WRITES:
        write = getattr(crypto.crypto_store, name, None)
        if write is not None:
            setattr(crypto.crypto_store, name, _repeated(getattr(write, ORIGINAL, write), log))


def _alone(client: Client) -> bool:
    """A start repeats the last answer, which other plugins on this account would take for new messages."""
    from maubot.client import Client as MaubotClient

    owner = MaubotClient.cache.get(client.mxid)
    return owner is None or len(owner.references) <= 1


def _repeated(write: Callable[..., Awaitable[None]], log: Logger) -> Callable[..., Awaitable[None]]:
    async def repeated(*args: Any, **named: Any) -> None:
        await surely(lambda: write(*args, **named), log)

    setattr(repeated, ORIGINAL, write)
    return repeated


async def surely(write: Callable[[], Awaitable[None]], log: Logger) -> None:
    """Does it, however long the disk is full."""
    tries = 0
    while True:
        try:
            await write()
        except Exception as error:
            if not passes(error):
                raise
            if tries == 0:
                log.error("Keys cannot be stored (%s); the sync waits until they can", type(error).__name__)
            await asyncio.sleep(SECONDS[min(tries, len(SECONDS) - 1)])
            tries += 1
        else:
            if tries:
                log.info("Keys can be stored again; the sync goes on")
            return
