"""Room keys that a sync brings are stored before the homeserver forgets them.

It deletes what it sent to this device when the next sync names the last answer. mautrix names it at once, and stores
it as done, while keys are still being decrypted, and drops a key that the database does not take: after a kill, or on
a full disk, the bot would be deaf in a room for good. So here the next sync waits for the keys of the last one, writes
are repeated until they are taken, and the place that is stored is the one before the last: what was sent with it comes
again after a start. It can be decrypted again, too, because that it was decrypted is stored behind the key itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from mautrix.client.state_store import SyncStore
from mautrix.types import EventType, SyncToken

from ..store.durability import passes

if TYPE_CHECKING:
    from logging import Logger

    from mautrix.client import Client

RATCHETS = ("put_account", "add_session", "update_session")
"""Methods of the crypto store that record a decryption. All are idempotent."""
SECONDS = (0.2, 1.0, 5.0)
ORIGINAL = "otterbot_original"
"""Attribute with the original function, to unwrap what an earlier instance of the plugin has wrapped."""


class Later:
    """Writes deferred until after the handling of a to-device event, in the task that handles it.

    Tasks started by it inherit the context but run on their own (mautrix repairs broken ratchets so, and sends with
    them): their writes are not deferred.
    """

    def __init__(self) -> None:
        self.task = asyncio.current_task()
        self.writes: list[Callable[[], Awaitable[None]]] = []


_LATER: ContextVar[Later | None] = ContextVar("later", default=None)


class PlaceBefore(SyncStore):
    """A ``SyncStore`` that wraps another one, and stores only sync tokens whose answers are fully handled."""

    def __init__(self, inner: Any, log: Logger) -> None:
        self.otterbot_original = inner
        self._log = log
        self._latest: SyncToken | None = None
        self._stored: SyncToken | None = None

    async def put_next_batch(self, next_batch: SyncToken) -> None:
        """Called with each sync answer, when the previous one is fully handled."""
        taken_in, self._latest = self._latest, next_batch
        if taken_in is None:
            self._stored = await self.otterbot_original.get_next_batch()
            if self._stored:
                return  # so that the next start asks for this answer again
            taken_in = next_batch  # a first sync: repeating it would fetch everything
        await surely(lambda: self.otterbot_original.put_next_batch(taken_in), self._log)
        self._stored = taken_in

    async def get_next_batch(self) -> SyncToken:
        stored = SyncToken(await self.otterbot_original.get_next_batch() or "")
        if self._latest is not None and stored == self._stored:
            return self._latest
        self._latest = None  # somebody else has set the token
        return stored


class RoomKeys:
    """Handles to-device events one at a time."""

    def __init__(self, client: Client, crypto: Any, log: Logger) -> None:
        self._client = client
        self._crypto = crypto
        self._log = log
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def handle(self, event: Any) -> None:
        if self._client.crypto is not self._crypto:
            return  # the account has another device now
        # Shielded: a sync stopped in the middle would advance the ratchet and lose the key.
        task = asyncio.create_task(self._handle(event), name="otterbot room key")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def _handle(self, event: Any) -> None:
        async with self._turn:
            later = Later()
            token = _LATER.set(later)
            failed: Exception | None = None
            try:
                await self._crypto.handle_to_device_event(event)
            except Exception as error:
                failed = error
            finally:
                _LATER.reset(token)
            for write in later.writes:
                await surely(write, self._log)
            if failed is not None:
                raise failed

    def install(self) -> None:
        client, crypto = self._client, self._crypto
        for handler in (crypto.handle_to_device_event, getattr(crypto, ORIGINAL, self.handle)):
            client.remove_event_handler(EventType.TO_DEVICE_ENCRYPTED, handler)
        # wait_sync makes the next sync wait for this handler; mautrix's own does not.
        client.add_event_handler(EventType.TO_DEVICE_ENCRYPTED, self.handle, wait_sync=True)
        setattr(crypto, ORIGINAL, self.handle)
        for name in (*RATCHETS, "put_group_session"):
            write = getattr(crypto.crypto_store, name, None)
            if write is not None:
                setattr(crypto.crypto_store, name, self._safely(getattr(write, ORIGINAL, write), name in RATCHETS))
        fill = getattr(crypto, "_fill_encryption_info", None)
        if fill is not None:
            crypto._fill_encryption_info = self._if_it_can(getattr(fill, ORIGINAL, fill))

        upload = getattr(client.upload_keys, ORIGINAL, client.upload_keys)
        setattr(client, "upload_keys", self._stored_first(upload))  # noqa: B010  a method, to mypy

    def _stored_first(self, upload: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Store one-time keys before uploading them. mautrix stores them afterwards: after a crash in between, messages
        encrypted with such a key could never be read."""

        async def uploaded(*args: Any, **named: Any) -> Any:
            account = self._crypto.account
            if named.get("one_time_keys") and account is not None:
                await self._crypto.crypto_store.put_account(account)
            return await upload(*args, **named)

        setattr(uploaded, ORIGINAL, upload)
        return uploaded

    def _safely(self, write: Callable[..., Awaitable[None]], ratchet: bool) -> Callable[..., Awaitable[None]]:
        async def safely(*args: Any, **named: Any) -> None:
            later = _LATER.get()
            if ratchet and later is not None and later.task is asyncio.current_task():
                later.writes.append(lambda: write(*args, **named))
            else:
                await surely(lambda: write(*args, **named), self._log)

        setattr(safely, ORIGINAL, write)
        return safely

    def _if_it_can(self, fill: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        """Make failures of this query harmless: it only asks for a room's rotation period, but mautrix drops the room
        key if it fails."""

        async def filled(content: Any) -> None:
            try:
                await fill(content)
            except Exception as error:
                self._log.warning("A room key without the room's settings: %s", type(error).__name__)

        setattr(filled, ORIGINAL, fill)
        return filled


def install(client: Client, log: Logger) -> None:
    """Call before the sync begins, and again after a reload of the plugin, which keeps the client."""
    inner = getattr(client.sync_store, ORIGINAL, client.sync_store)
    client.sync_store = PlaceBefore(inner, log) if _alone(client) else inner
    if client.crypto is not None:
        RoomKeys(client, client.crypto, log).install()


def _alone(client: Client) -> bool:
    """Whether no other plugin uses this client: a start repeats the last answer, which others would take for new
    messages."""
    from maubot.client import Client as MaubotClient

    owner = MaubotClient.cache.get(client.mxid)
    return owner is None or len(owner.references) <= 1


async def surely(write: Callable[[], Awaitable[None]], log: Logger) -> None:
    """Repeat a write until the disk takes it."""
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
