"""The recovery key of the bot's account, in the instance's database. It opens the account's cross-signing keys."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field

from mautrix.util.async_db import Database, Scheme

from . import queries as sql


@dataclass(frozen=True, kw_only=True)
class RecoveryKey:
    key_id: str
    """Id of the key of the homeserver's secret storage."""
    words: str = field(repr=False)
    """The key as people type it, in groups of four characters."""


class RecoveryKeys:
    """One key for each account; it is kept for ever."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, user: str) -> RecoveryKey | None:
        row = await self._db.fetchrow(sql.RECOVERY_KEY, user)
        return None if row is None else RecoveryKey(key_id=row["key_id"], words=row["recovery_key"])

    async def keep(self, user: str, new: RecoveryKey) -> RecoveryKey:
        """Store the key unless there is one. Returns the stored key; committed when this returns."""
        await self._make_private()
        await self._db.execute(sql.KEEP_RECOVERY_KEY, user, new.key_id, new.words, time.time())
        kept = await self.get(user)
        assert kept is not None
        return kept

    async def _make_private(self) -> None:
        """Restrict the file to its owner: SQLite creates it by the umask, which on most machines lets everybody read
        it."""
        if self._db.scheme != Scheme.SQLITE:
            return
        for row in await self._db.fetch("PRAGMA database_list"):
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(OSError):
                    os.chmod(f"{row['file']}{suffix}", 0o600)
