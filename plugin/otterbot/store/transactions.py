"""Writes to the plugin's database, in transactions that nothing interrupts.

Every move of a request or a part is one ``UPDATE … WHERE state`` that says whether this call made it. Writes are
shielded from cancellation: mautrix's SQLite connection would otherwise be left inside a transaction, and everything
after it would fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import nullcontext
from typing import Any, TypeVar

from mautrix.util.async_db import Connection, Database

from ..clock import Clock
from .durability import closed

T = TypeVar("T")


class Transactions:
    """Base class of the tables' queries. Times are Unix seconds, by the homeserver's clock."""

    def __init__(self, db: Database, clock: Clock | None = None) -> None:
        self.db = db
        self.clock = clock or Clock()
        self._writes: set[asyncio.Task[Any]] = set()
        self._counting = asyncio.Lock()

    async def close(self) -> None:
        """Wait until every write that has begun is done (Maubot closes the database next)."""
        while writes := list(self._writes):
            await asyncio.gather(*writes, return_exceptions=True)
            # Not left to their callbacks: since Python 3.12 gathering what is done lets nothing else run.
            self._writes.difference_update(writes)

    async def write(self, work: Callable[[Connection], Awaitable[T]], *, alone: bool = False) -> T:
        """``alone``: no other such write at the same time, as both would count the same rows before either adds one
        (PostgreSQL; this process is the only one that writes)."""

        async def run() -> T:
            db: Any = self.db  # its context managers are typed as plain coroutines
            async with self._counting if alone else nullcontext(), db.acquire() as conn:
                try:
                    async with conn.transaction():
                        return await work(conn)
                finally:
                    await closed(conn)

        return await asyncio.shield(self.begin(run()))

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """As a task that :meth:`close` waits for."""
        task = asyncio.create_task(work)
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return task

    async def move_row(self, query: str, *args: Any) -> bool:
        """Run an ``UPDATE … RETURNING``; true if it moved a row."""

        async def work(conn: Connection) -> bool:
            return await conn.fetchrow(query, *args) is not None

        return await self.write(work)
