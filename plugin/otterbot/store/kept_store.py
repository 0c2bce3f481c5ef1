"""Pictures in the database that people keep or have deleted, and what the worker has to know of that."""

from __future__ import annotations

from mautrix.util.async_db import Connection

from . import inserts
from . import queries as sql
from .rows import Kept, Part
from .transactions import Transactions


class KeptStore(Transactions):
    async def is_kept(self, event_id: str) -> bool:
        return await self.db.fetchval(sql.IS_KEPT, event_id) is not None

    async def copied_from(self, key: str) -> Kept | None:
        """The picture whose copy has that key."""
        row = await self.db.fetchrow(sql.COPIED, key)
        return None if row is None else Kept.from_row(row)

    async def let_go(self, reaction: str) -> bool:
        """A reaction was taken back; true if it kept a picture."""

        async def work(conn: Connection) -> bool:
            rows = await conn.fetch(sql.LET_GO, reaction)
            for row in rows:
                await conn.execute(sql.OWE_KEEP, row["event_id"])
            return bool(rows)

        return await self.write(work)

    async def discard(self, picture: Part) -> None:
        """A picture was taken out of its room: the worker has to delete it."""
        await self.write(lambda conn: inserts.discard(conn, picture, self.clock.now()))

    async def keeps_owed(self) -> list[Part]:
        return [Part.from_row(row) for row in await self.db.fetch(sql.KEEPS_OWED)]

    async def keep_paid(self, key: str, part: str) -> None:
        await self.move_row(sql.KEEP_PAID, key, part)
