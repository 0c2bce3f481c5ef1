"""The SQLite file with three connections, each in a thread of its own: for writing, for reading, and for long scans.

WAL with ``synchronous=FULL``: when a call returns, what it wrote survives a power cut. Writers take turns under a lock
of this process; readers never wait, and see everything committed before they began. Checkpoints run in the background,
so that no commit waits for one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite

from .. import privacy
from . import migrations

Parameters = Sequence[Any]

WRITES_PER_CHECKPOINT = 200


class Database:
    """Open with ``Database.open``; close it after its last user."""

    def __init__(
        self, writer: aiosqlite.Connection, reader: aiosqlite.Connection, scanner: aiosqlite.Connection
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._scanner = scanner
        self._turn = asyncio.Lock()
        self._writes = 0
        self._checkpoint: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, path: Path) -> Database:
        """Creates the file (for this user only) or migrates it.

        :raises migrations.NewerDatabase: :raises migrations.DamagedDatabase:
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        # Restrict access before opening: SQLite gives WAL files the same rights, and a restored backup may be readable
        # by everybody.
        privacy.close_to_others([path])
        writer = await _connect(path)
        try:
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
                await writer.execute(f"PRAGMA {pragma}")
            await migrations.migrate(writer)
            await writer.execute("PRAGMA wal_autocheckpoint = 0")
            reader, scanner = await _connect(path), await _connect(path)
            await reader.execute("PRAGMA query_only = ON")
        except BaseException as error:
            await writer.close()
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
                # Never recreate it automatically: it holds accepted jobs, and the operator may have a backup.
                raise migrations.DamagedDatabase(
                    f"{path} is damaged; put a backup there, or move it away to begin with an empty queue"
                ) from None
            raise
        return cls(writer, reader, scanner)

    async def close(self) -> None:
        async with self._turn:
            if self._checkpoint is not None:
                await asyncio.wait([self._checkpoint])
            for connection in (self._scanner, self._reader, self._writer):
                await connection.close()

    async def fetch(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        return list(await self._reader.execute_fetchall(sql, parameters))

    async def scan(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """As ``fetch``, on the connection for long scans, so that nothing waits behind it."""
        return list(await self._scanner.execute_fetchall(sql, parameters))

    async def fetch_one(self, sql: str, parameters: Parameters = ()) -> sqlite3.Row | None:
        rows = await self.fetch(sql, parameters)
        return rows[0] if rows else None

    async def write(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """One statement, durable when this returns; its ``RETURNING`` rows say what it did."""
        async with self._turn:
            try:
                return list(await self._writer.execute_fetchall(sql, parameters))
            finally:
                self._wrote()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """Several statements, all or none."""
        async with self._turn:
            try:
                # Inside the try: a cancelled call may already have begun a transaction, so roll back.
                await self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                # Inside the try: a commit on a full disk leaves the transaction open.
                await asyncio.shield(self._writer.commit())
            except BaseException:
                await asyncio.shield(self._writer.rollback())
                raise
            self._wrote()

    def _wrote(self) -> None:
        self._writes += 1
        if self._writes >= WRITES_PER_CHECKPOINT and (self._checkpoint is None or self._checkpoint.done()):
            self._writes = 0
            self._checkpoint = asyncio.create_task(self._move_log(), name="checkpoint")

    async def _move_log(self) -> None:
        # A passive checkpoint blocks nobody; what it cannot move, on a full disk for example, is moved next time.
        with contextlib.suppress(sqlite3.OperationalError):
            await self._scanner.execute_fetchall("PRAGMA wal_checkpoint(PASSIVE)")


async def fetch_one(connection: aiosqlite.Connection, sql: str, parameters: Parameters) -> sqlite3.Row | None:
    """The first row of a statement within a transaction, ``RETURNING`` included."""
    rows = list(await connection.execute_fetchall(sql, parameters))
    return rows[0] if rows else None


async def _connect(path: Path) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path, isolation_level=None, cached_statements=256)
    connection.row_factory = sqlite3.Row
    await connection.execute("PRAGMA busy_timeout = 30000")
    return connection
