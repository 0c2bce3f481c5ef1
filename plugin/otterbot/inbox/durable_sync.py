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
"""Of the store of keys: what says that something was decrypted. Each may be done twice."""
SECONDS = (0.2, 1.0, 5.0)
ORIGINAL = "otterbot_original"
"""What an earlier life of the plugin has wrapped is unwrapped by that name."""


class Later:
    """What is written behind the handling of something that was sent to this device, by the task that handles it.

    Tasks that it starts inherit the context and go on by themselves (mautrix mends a broken ratchet in one, and sends
    with it): their writes are not put off.
    """

    def __init__(self) -> None:
        self.task = asyncio.current_task()
        self.writes: list[Callable[[], Awaitable[None]]] = []


_LATER: ContextVar[Later | None] = ContextVar("later", default=None)


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


class RoomKeys:
    """Handles what was sent to this device, one thing at a time."""

    def __init__(self, client: Client, crypto: Any, log: Logger) -> None:
        self._client = client
        self._crypto = crypto
        self._log = log
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def handle(self, event: Any) -> None:
        if self._client.crypto is not self._crypto:
            return  # Maubot has given the account another device
        # Shielded: a sync that is stopped in the middle would leave a ratchet that has moved on, and no key.
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
        # With wait_sync the next sync waits for it. mautrix registers its own as something that goes on beside.
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
        """mautrix stores one-time keys when the homeserver has them; if it dies in between, whoever takes one of them
        for a first contact is never understood."""

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
        """How often a room changes its keys is only good to know; mautrix drops the key if it cannot ask for that."""

        async def filled(content: Any) -> None:
            try:
                await fill(content)
            except Exception as error:
                self._log.warning("A room key without the room's settings: %s", type(error).__name__)

        setattr(filled, ORIGINAL, fill)
        return filled


def install(client: Client, log: Logger) -> None:
    """Before the sync begins; again after a reload of the plugin, which leaves the client as it is."""
    inner = getattr(client.sync_store, ORIGINAL, client.sync_store)
    client.sync_store = PlaceBefore(inner, log) if _alone(client) else inner
    if client.crypto is not None:
        RoomKeys(client, client.crypto, log).install()


def _alone(client: Client) -> bool:
    """A start repeats the last answer, which other plugins on this account would take for new messages."""
    from maubot.client import Client as MaubotClient

    owner = MaubotClient.cache.get(client.mxid)
    return owner is None or len(owner.references) <= 1


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
