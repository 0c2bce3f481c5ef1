"""Rooms in the database: settings, predecessors, greetings."""

from __future__ import annotations

import hashlib

from mautrix.util.async_db import Connection

from . import inserts
from . import queries as sql
from .rows import Part, RoomStyle
from .transactions import Transactions


def told_as(warning: str) -> str:
    """How it is remembered that a warning was said: not by its words, which may name people."""
    return hashlib.sha256(warning.encode()).hexdigest()[:32]


class RoomStore(Transactions):
    async def last_picture(self, room: str) -> str | None:
        """Event id of the last picture sent into the room."""
        found: str | None = await self.db.fetchval(sql.LAST_PICTURE, room)
        return found

    async def room_setting(self, room: str, name: str) -> str | None:
        found: str | None = await self.db.fetchval(sql.SETTING, room, name)
        return found

    async def told(self, room: str, since: float) -> set[str]:
        """The warnings that the room was told after that time, as of :func:`told_as`."""
        return {row["what"] for row in await self.db.fetch(sql.TOLD, room, since)}

    async def room_settings(self, room: str) -> dict[str, str]:
        return {row["name"]: row["value"] for row in await self.db.fetch(sql.SETTINGS, room)}

    async def styles(self, room: str) -> list[RoomStyle]:
        """The room's own, the first that was saved first."""
        return [RoomStyle(**dict(row)) for row in await self.db.fetch(sql.STYLES, room)]

    async def predecessor(self, room: str) -> str | None:
        """The room's predecessor; ``""``: none; ``None``: not known yet."""
        found: str | None = await self.db.fetchval(sql.PREDECESSOR, room)
        return found

    async def inherit(self, room: str, predecessor: str, settings: dict[str, str], part: Part | None) -> bool:
        """Store a room's predecessor, once for ever, and copy its settings and styles unless set here. ``part``: the
        message about it. False, and nothing stored, if it was known already."""
        now = self.clock.now()
        return await self.write(lambda conn: inserts.inherit(conn, room, predecessor, settings, part, now))

    async def was_in(self, room: str) -> bool:
        """Whether the bot has ever joined the room."""
        return await self.db.fetchval(sql.WAS_IN, room) is not None

    async def joined(self, room: str, at: float) -> None:
        await self.write(lambda conn: conn.execute(sql.JOINED, room, at))

    async def greet(self, room: str, part: Part | None) -> bool:
        """Mark the room greeted, once for ever; true if ``part`` (the greeting) was stored."""

        async def work(conn: Connection) -> bool:
            now = self.clock.now()
            if await conn.fetchrow(sql.GREETED, room, now) is None or part is None:
                return False
            return await inserts.add_part(conn, part, now)

        return await self.write(work)
