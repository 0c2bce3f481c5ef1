"""Parts in the database: unsent, sent, and their outstanding calls to the worker."""

from __future__ import annotations

from typing import Any

from mautrix.util.async_db import Connection

from . import inserts
from . import queries as sql
from .part_names import PartName
from .rows import Part
from .transactions import Transactions


class PartStore(Transactions):
    async def _parts(self, query: str, *args: Any) -> list[Part]:
        return [Part.from_row(row) for row in await self.db.fetch(query, *args)]

    async def add_part(self, part: Part) -> bool:
        """False if the key has such a part already."""

        async def work(conn: Connection) -> bool:
            return await inserts.add_part(conn, part, self.clock.now())

        return await self.write(work)

    async def part(self, key: str, part: str) -> Part | None:
        found = await self._parts(sql.PART, key, part)
        return found[0] if found else None

    async def parts_of(self, key: str) -> dict[PartName, Part]:
        return {part.part: part for part in await self._parts(sql.PARTS_OF, key)}

    async def part_by_event(self, event_id: str) -> Part | None:
        found = await self._parts(sql.PART_BY_EVENT, event_id)
        return found[0] if found else None

    async def last_part(self, room: str, part: str) -> float | None:
        """When a part of that name was last stored or sent in the room."""
        found: float | None = await self.db.fetchval(sql.LAST_PART, room, part)
        return found

    async def pending_parts(self) -> list[Part]:
        """Parts that are to be sent, or may have been."""
        return await self._parts(sql.PENDING_PARTS)

    async def mark_sending(self, key: str, part: str, room: str | None = None) -> bool:
        """Mark a part ``sending``; false if it is no longer wanted (in that ``room``), or was sent."""
        return await self.move_row(sql.SENDING, key, part, self.clock.now(), room)

    async def unmark_sending(self, key: str, part: str) -> bool:
        """Back to ``ready``: the homeserver has definitely not sent it."""
        return await self.move_row(sql.UNMARK, key, part, self.clock.now())

    async def mark_sent(self, part: Part, event_id: str | None) -> bool:
        """``sent``, and its content forgotten. A picture becomes the last one of its room."""

        async def work(conn: Connection) -> bool:
            if await conn.fetchrow(sql.SENT, part.key, part.part, event_id, self.clock.now()) is None:
                return False
            if event_id is not None and part.part.shows:
                await conn.execute(sql.LAST_PICTURE_SET, part.room_id, event_id)
            return True

        return await self.write(work)

    async def mark_failed(self, key: str, part: str, reason: str = "refused") -> bool:
        """Mark a part as failed for ever. Its picture will be deleted on the worker."""
        return await self.move_row(sql.FAILED, key, part, self.clock.now(), reason)

    async def drop(self, key: str, part: str) -> bool:
        """Drop a part whose sending has not begun; false if it may be in the room. Its picture will be deleted on the
        worker."""
        return await self.move_row(sql.DROP, key, part, self.clock.now())

    async def new_image(self, key: str, part: str, image_id: str) -> bool:
        """The worker has drawn the picture again: give it to the unsent part."""
        return await self.move_row(sql.NEW_IMAGE, key, part, image_id)

    async def acks_owed(self) -> list[Part]:
        """Sent pictures that are not yet acknowledged to the worker."""
        return await self._parts(sql.ACKS_OWED)

    async def ack_paid(self, key: str, part: str) -> None:
        await self.move_row(sql.ACK_PAID, key, part)

    async def owe_delete(self, event_id: str) -> bool:
        """A picture was deleted in its room; true if it should be deleted from the archive too."""
        return await self.move_row(sql.OWE_DELETE, event_id)

    async def owe_delete_of(self, key: str, part: str) -> None:
        """Have the worker delete that picture, whether it was sent or not."""
        await self.move_row(sql.OWE_DELETE_OF, key, part)

    async def deletes_owed(self) -> list[Part]:
        return await self._parts(sql.DELETES_OWED)

    async def delete_paid(self, key: str, part: str) -> None:
        await self.move_row(sql.DELETE_PAID, key, part)
