"""Makes the account's writes survive a power cut.

mautrix opens SQLite with ``synchronous = NORMAL``: what the last seconds committed may be gone when the power returns.
For the keys of end-to-end encryption that is worse than a loss. A ratchet that has gone back encrypts a second message
with the same key, which no client shows, and a room key that is forgotten leaves the bot deaf in its room. So every
connection is set to ``FULL``, and keys for sending are made anew at each start: a database out of a backup, or off a
disk that lies about having written, has old ones.
"""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from mautrix.util.async_db import Database, Scheme

if TYPE_CHECKING:
    from logging import Logger

    from mautrix.client import Client

FULL = 2
"""``PRAGMA synchronous`` as a number; 3 is ``EXTRA``, which is kept."""
ROUNDS, PAUSE = 200, 0.02
"""Tries to get a connection of the pool that is not configured yet, and seconds between them."""
_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
    }
)
DISCARD = "DELETE FROM crypto_megolm_outbound_session WHERE account_id = $1"


def passes(error: BaseException) -> bool:
    """Whether the error is temporary: the database is locked, full or unreachable."""
    if isinstance(error, sqlite3.Error):
        return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _PASSING
    if isinstance(error, OSError):
        return True
    state = getattr(error, "sqlstate", None)  # PostgreSQL's; its driver may not be installed
    return isinstance(state, str) and state[:2] in {"08", "53", "55", "57", "58"}


async def sqlite_full(db: Database) -> bool:
    """Make every connection of the pool sync each commit; false if that fails. PostgreSQL does so by default."""
    if db.scheme != Scheme.SQLITE:
        return True
    _later_ones(db)
    seen: WeakSet[Any] = WeakSet()
    for _ in range(ROUNDS * connections(db)):
        # Not acquire(): inside a transaction it returns that transaction's connection, even of another database.
        async with db.acquire_direct() as conn:
            if conn.wrapped not in seen:
                await conn.execute(f"PRAGMA synchronous = {max(FULL, await _level(conn))}")
                if await _level(conn) < FULL:
                    return False
                seen.add(conn.wrapped)
        if len(seen) >= connections(db):
            return True
        await asyncio.sleep(PAUSE)  # other connections are in use, and return to the end of the queue
    return False


def connections(db: Database) -> int:
    """The size of the pool; mautrix opens all connections at its start."""
    pool = getattr(db, "_parent", None) or db
    return max(1, int(getattr(pool, "_conns", 1)))


async def closed(conn: Any) -> None:
    """Roll back an open transaction. mautrix leaves one where the commit itself fails, and later writes would be
    lost."""
    raw = conn.wrapped
    if conn.scheme == Scheme.SQLITE and raw.in_transaction:
        await raw.rollback()


async def _level(conn: Any) -> int:
    return int(await conn.fetchval("PRAGMA synchronous"))


def _later_ones(db: Database) -> None:
    """Configure connections that the pool opens later."""
    commands = getattr(getattr(db, "_parent", None) or db, "_init_commands", None)
    if isinstance(commands, list) and not any(_enough(command) for command in commands):
        commands[:] = [command for command in commands if "synchronous" not in command.lower()]
        commands.append("PRAGMA synchronous = FULL")


def _enough(command: str) -> bool:
    name, _, value = command.partition("=")
    return "synchronous" in name.lower() and value.strip(" ;").upper() in ("FULL", "2", "EXTRA", "3")


class CryptoStore:
    """The client's crypto store, made durable before anything is encrypted; one per plugin instance."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._turn = asyncio.Lock()
        self._fresh: Any = None
        """The store whose outbound keys were discarded."""
        self._safe: tuple[Any, int] | None = None
        """The store whose connections sync, and their number at that time."""
        self.durable = True
        """False: the store cannot be set to sync, so a power cut may break the encryption."""

    async def secure(self) -> None:
        """Raises what the database raises; nothing may be encrypted until this has returned."""
        store = getattr(self._client.crypto, "crypto_store", None)
        db = getattr(store, "db", None)
        if not isinstance(db, Database):
            self.durable = store is None or type(store).__name__ == "MemoryCryptoStore"
            return
        if self._fresh is store and self._safe == (store, connections(db)):
            return
        async with self._turn:
            if self._safe != (store, connections(db)):
                self.durable = await sqlite_full(db)
                self._safe = (store, connections(db))
            if self._fresh is not store:
                async with db.acquire_direct() as conn:
                    await conn.execute(DISCARD, str(getattr(store, "account_id", "")))
                self._fresh = store


async def at_start(store: CryptoStore, warnings: list[str], warning: str, log: Logger) -> None:
    """Secure the store at the start, and report failures in the log and in ``!status``. They are retried before the
    first message is encrypted."""
    try:
        await store.secure()
    except Exception as error:
        kind = type(error).__name__
        log.error("The store of keys cannot be written now (%s); nothing is encrypted until it can", kind)
    if not store.durable:
        warnings.append(warning)
        log.warning("%s", warning)
