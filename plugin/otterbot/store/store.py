"""The plugin's database: what was asked, what was delivered, what was handled.

Every move of a request or a part is one ``UPDATE … WHERE state`` that says whether this call made
it. Writes are shielded from cancellation: mautrix's SQLite connection would otherwise be left
inside a transaction, and everything after it would fail.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from mautrix.util.async_db import Connection, Database

from ..clock import Clock
from . import inserts
from . import queries as sql
from .durability import closed, sqlite_full
from .part_names import PartName
from .rows import Part, Request

T = TypeVar("T")
DAY = 86_400.0
KEEP_REQUESTS = 30 * DAY
KEEP_HANDLED = 45 * DAY
"""Longer than any age limit of the catch-up, or an old command would run again."""
KEEP_PICTURES = 400 * DAY
"""Which picture an event shows: deleting it in the room deletes the archived one."""


@dataclass(frozen=True, kw_only=True)
class Commit:
    """What one handled message leads to, stored in one transaction."""

    mark: str | None
    """Id of the event that is handled with it."""
    room_id: str
    request: Request | None = None
    parts: Sequence[Part] = ()
    cancel: Sequence[str] = ()
    outcome: str = "cancelled"
    """Of what is cancelled; ``replaced`` by what the edited message asks for now."""
    setting: tuple[str, str | None] | None = None


@dataclass(frozen=True, kw_only=True)
class Committed:
    """``fresh`` is false when the event had been handled before; then nothing was stored."""

    fresh: bool
    cancelled: tuple[Request, ...] = ()


class Store:
    """All SQL of the plugin runs here. Times are Unix seconds, by the homeserver."""

    def __init__(self, db: Database, clock: Clock | None = None) -> None:
        self._db = db
        self.clock = clock or Clock()
        self._writes: set[asyncio.Task[Any]] = set()
        self.installed_at = 0.0

    async def open(self) -> None:
        """Set the connection up and learn when this database was made."""
        await sqlite_full(self._db)
        now = repr(self.clock.now())
        await self._db.execute(sql.INSTALLED, "installed_at", now)
        stored = await self._db.fetchval(sql.META, "installed_at")
        self.installed_at = float(stored)
        if stored == now and not self.clock.known:
            self.clock.settled.append(self._installed_by_another_clock)

    def _installed_by_another_clock(self, later: float) -> None:
        """This is the first start, and the homeserver has told its time only now."""
        self.installed_at += later
        task = asyncio.create_task(self._move(sql.META_SET, "installed_at", repr(self.installed_at)))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def close(self) -> None:
        """Wait until every write that has begun is done (Maubot closes the database next)."""
        while writes := list(self._writes):
            await asyncio.gather(*writes, return_exceptions=True)
            # Not left to their callbacks: since Python 3.12 gathering what is done lets nothing else run.
            self._writes.difference_update(writes)

    async def _write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async def run() -> T:
            db: Any = self._db  # its context managers are typed as plain coroutines
            async with db.acquire() as conn:
                try:
                    async with conn.transaction():
                        return await work(conn)
                finally:
                    await closed(conn)

        task = asyncio.create_task(run())
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    async def _move(self, query: str, *args: Any) -> bool:
        """Run an ``UPDATE … RETURNING``; true if it moved a row."""

        async def work(conn: Connection) -> bool:
            return await conn.fetchrow(query, *args) is not None

        return await self._write(work)

    # -- events ------------------------------------------------------------------------------

    async def is_handled(self, event_id: str) -> bool:
        return await self._db.fetchval(sql.IS_HANDLED, event_id) is not None

    async def commit(self, commit: Commit) -> Committed:
        """Store everything that follows from one message, or nothing if it was handled before."""

        async def work(conn: Connection) -> Committed:
            now = self.clock.now()
            if commit.mark is not None:
                new = await conn.fetchrow(sql.MARK_HANDLED, commit.mark, commit.room_id, now)
                if new is None:
                    return Committed(fresh=False)
            cancelled = [await inserts.cancel(conn, key, commit.room_id, now, commit.outcome) for key in commit.cancel]
            if commit.request is not None:
                await inserts.add_request(conn, commit.request)
            for part in commit.parts:
                await inserts.add_part(conn, part, now)
            if commit.setting is not None:
                await inserts.put_setting(conn, commit.room_id, *commit.setting)
            return Committed(fresh=True, cancelled=tuple(request for request in cancelled if request is not None))

        return await self._write(work)

    # -- requests ----------------------------------------------------------------------------

    async def _requests(self, query: str, *args: Any) -> list[Request]:
        return [Request.from_row(row) for row in await self._db.fetch(query, *args)]

    async def request(self, key: str) -> Request | None:
        found = await self._requests(sql.REQUEST, key)
        return found[0] if found else None

    async def request_by_event(self, event_id: str) -> Request | None:
        """The newest request of that message (its edits make requests of their own)."""
        found = await self._requests(sql.REQUEST_BY_EVENT, event_id)
        return found[0] if found else None

    async def open_requests(self, room: str | None = None, sender: str | None = None) -> list[Request]:
        """Those not done, oldest first."""
        return await self._requests(sql.OPEN_REQUESTS, room, sender)

    async def counts_elsewhere(self, room: str) -> int:
        """How many open requests other rooms have."""
        return int(await self._db.fetchval(sql.COUNT_ELSEWHERE, room))

    async def submitted(self, key: str, job_id: str) -> bool:
        return await self._move(sql.SUBMITTED, key, job_id, self.clock.now())

    async def set_notes(self, key: str, notes: Iterable[str]) -> None:
        """Sentences that go with the answer; the same after a restart between its pieces."""

        async def work(conn: Connection) -> None:
            await conn.execute(sql.SET_NOTES, key, json.dumps(list(notes)))

        await self._write(work)

    async def kept_again(self, key: str) -> bool:
        """The worker has forgotten it: it has to be submitted again."""
        return await self._move(sql.KEPT_AGAIN, key)

    async def finish(self, key: str, outcome: str, parts: Iterable[Part] = (), *, cancel_owed: bool = False) -> bool:
        """``done``, with the messages that say so; false if it was done already (then no part is stored)."""

        async def work(conn: Connection) -> bool:
            now = self.clock.now()
            if await conn.fetchrow(sql.FINISH, key, outcome, now, int(cancel_owed)) is None:
                return False
            for part in parts:
                await inserts.add_part(conn, part, now)
            return True

        return await self._write(work)

    async def move(
        self, old: str, new: str, moving: Sequence[Part], unwanted: Sequence[Part], *, private: bool
    ) -> list[Request]:
        """The open requests of a room belong to another one from now on, and so do those of their parts that have not
        been sent; ``unwanted`` ones are dropped. What shows progress in the old room gets the name ``…/in/ROOM``.
        ``private``: the old room is encrypted."""
        now = self.clock.now()
        return await self._write(lambda conn: inserts.move(conn, old, new, moving, unwanted, private, now))

    async def retime(self, request: Request) -> None:
        """The clock by which an open request was accepted was set; it has the times of now."""
        await self._move(sql.RETIME, request.key, request.created_at, request.expires_at, request.sent_at)

    async def last_turn(self, room: str, sender: str) -> Request | None:
        """That person's newest request for a chat there."""
        found = await self._requests(sql.LAST_TURN, room, sender)
        return found[0] if found else None

    async def last_drawn_in(self, room: str, thread: str) -> Request | None:
        """The newest request for pictures that was typed in that thread."""
        found = await self._requests(sql.LAST_DRAWN_IN, room, thread)
        return found[0] if found else None

    async def unclosed(self, since: float) -> list[Request]:
        """Cancelled after that moment, and it may be that nothing in the room says so yet."""
        return await self._requests(sql.UNCLOSED, since)

    async def cancels_owed(self) -> list[Request]:
        return await self._requests(sql.CANCELS_OWED)

    async def owe_cancel(self, key: str) -> bool:
        """A job of a request that is done has come to light: what it has drawn is nobody's."""
        return await self._move(sql.OWE_CANCEL, key)

    async def cancel_paid(self, key: str) -> None:
        await self._move(sql.CANCEL_PAID, key)

    # -- parts -------------------------------------------------------------------------------

    async def _parts(self, query: str, *args: Any) -> list[Part]:
        return [Part.from_row(row) for row in await self._db.fetch(query, *args)]

    async def add_part(self, part: Part) -> bool:
        """False if the key has such a part already."""

        async def work(conn: Connection) -> bool:
            return await inserts.add_part(conn, part, self.clock.now())

        return await self._write(work)

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
        found: float | None = await self._db.fetchval(sql.LAST_PART, room, part)
        return found

    async def pending_parts(self) -> list[Part]:
        """What has to be sent, or may have been."""
        return await self._parts(sql.PENDING_PARTS)

    async def mark_sending(self, key: str, part: str, room: str | None = None) -> bool:
        """False: it is no longer wanted (in that ``room``), or was sent."""
        return await self._move(sql.SENDING, key, part, self.clock.now(), room)

    async def unmark_sending(self, key: str, part: str) -> bool:
        """The homeserver said that it did not do it."""
        return await self._move(sql.UNMARK, key, part, self.clock.now())

    async def mark_sent(self, part: Part, event_id: str | None) -> bool:
        """``sent``, and its content forgotten. A picture becomes the last one of its room."""

        async def work(conn: Connection) -> bool:
            if await conn.fetchrow(sql.SENT, part.key, part.part, event_id, self.clock.now()) is None:
                return False
            if event_id is not None and part.part.is_picture:
                await conn.execute(sql.LAST_PICTURE_SET, part.room_id, event_id)
            return True

        return await self._write(work)

    async def mark_failed(self, key: str, part: str, reason: str = "refused") -> bool:
        """It will never be sent. A picture is owed a deletion from now on."""
        return await self._move(sql.FAILED, key, part, self.clock.now(), reason)

    async def drop(self, key: str, part: str) -> bool:
        """Take back what has not been begun; false if it may stand in the room. A picture is owed a deletion then."""
        return await self._move(sql.DROP, key, part, self.clock.now())

    async def new_image(self, key: str, part: str, image_id: str) -> bool:
        """The worker has drawn it again: an unsent part gets the new picture."""
        return await self._move(sql.NEW_IMAGE, key, part, image_id)

    async def acks_owed(self) -> list[Part]:
        """Sent pictures of which the worker has not been told."""
        return await self._parts(sql.ACKS_OWED)

    async def ack_paid(self, key: str, part: str) -> None:
        await self._move(sql.ACK_PAID, key, part)

    async def owe_delete(self, event_id: str) -> bool:
        """A picture was deleted in its room; true if the archive's should go too."""
        return await self._move(sql.OWE_DELETE, event_id)

    async def owe_delete_of(self, key: str, part: str) -> None:
        """Nobody wants that picture any more, whether it stands in the room or not."""
        await self._move(sql.OWE_DELETE_OF, key, part)

    async def deletes_owed(self) -> list[Part]:
        return await self._parts(sql.DELETES_OWED)

    async def delete_paid(self, key: str, part: str) -> None:
        await self._move(sql.DELETE_PAID, key, part)

    # -- rooms -------------------------------------------------------------------------------

    async def last_picture(self, room: str) -> str | None:
        """Event id of the last picture sent into the room."""
        found: str | None = await self._db.fetchval(sql.LAST_PICTURE, room)
        return found

    async def room_setting(self, room: str, name: str) -> str | None:
        found: str | None = await self._db.fetchval(sql.SETTING, room, name)
        return found

    async def room_settings(self, room: str) -> dict[str, str]:
        return {row["name"]: row["value"] for row in await self._db.fetch(sql.SETTINGS, room)}

    async def predecessor(self, room: str) -> str | None:
        """The room that it replaces, ``""``: none; ``None``: not known yet."""
        found: str | None = await self._db.fetchval(sql.PREDECESSOR, room)
        return found

    async def inherit(self, room: str, predecessor: str, settings: dict[str, str], part: Part | None) -> bool:
        """Remember, once for ever, which room it replaces, with what was set there and not here. ``part`` says so.
        False if that was known already; then nothing is stored."""
        now = self.clock.now()
        return await self._write(lambda conn: inserts.inherit(conn, room, predecessor, settings, part, now))

    async def was_in(self, room: str) -> bool:
        """Have we ever come into the room?"""
        return await self._db.fetchval(sql.WAS_IN, room) is not None

    async def joined(self, room: str, at: float) -> None:
        await self._write(lambda conn: conn.execute(sql.JOINED, room, at))

    async def greet(self, room: str, part: Part | None) -> bool:
        """Mark the room greeted, once for ever; true if ``part`` (the greeting) was stored."""

        async def work(conn: Connection) -> bool:
            now = self.clock.now()
            if await conn.fetchrow(sql.GREETED, room, now) is None or part is None:
                return False
            return await inserts.add_part(conn, part, now)

        return await self._write(work)

    # -- upkeep ------------------------------------------------------------------------------

    async def prune(self, now: float) -> None:
        """Forget what nobody will ask for any more."""

        async def work(conn: Connection) -> None:
            await conn.execute(sql.PRUNE_HANDLED, now - KEEP_HANDLED)
            await conn.execute(sql.PRUNE_REQUESTS, now - KEEP_REQUESTS)
            await conn.execute(sql.PRUNE_PARTS, now - KEEP_REQUESTS)
            await conn.execute(sql.PRUNE_PICTURES, now - KEEP_PICTURES)

        await self._write(work)
