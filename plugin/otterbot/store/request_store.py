"""Requests in the database: open, submitted, done."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mautrix.util.async_db import Connection

from . import inserts
from . import queries as sql
from .rows import Part, Request
from .transactions import Transactions


class RequestStore(Transactions):
    async def _requests(self, query: str, *args: Any) -> list[Request]:
        return [Request.from_row(row) for row in await self.db.fetch(query, *args)]

    async def request(self, key: str) -> Request | None:
        found = await self._requests(sql.REQUEST, key)
        return found[0] if found else None

    async def request_by_event(self, event_id: str) -> Request | None:
        """The newest request of that message (its edits make requests of their own; what is made with reactions on it
        is not its own)."""
        found = await self._requests(sql.REQUEST_BY_EVENT, event_id)
        return found[0] if found else None

    async def request_by_reaction(self, event_id: str, sender: str, emoji: str) -> Request | None:
        """The newest request that this person has made with this emoji on that message."""
        found = await self._requests(sql.REQUEST_BY_REACTION, event_id, sender, emoji)
        return found[0] if found else None

    async def request_by_any_reaction(self, event_id: str, emoji: str) -> Request | None:
        """The newest request that anybody has made with this emoji on that message."""
        found = await self._requests(sql.REQUEST_BY_ANY_REACTION, event_id, emoji)
        return found[0] if found else None

    async def open_requests(self, room: str | None = None, sender: str | None = None) -> list[Request]:
        """Those not done, oldest first."""
        return await self._requests(sql.OPEN_REQUESTS, room, sender)

    async def counts_elsewhere(self, room: str) -> int:
        """How many open requests other rooms have."""
        return int(await self.db.fetchval(sql.COUNT_ELSEWHERE, room))

    async def submitted(self, key: str, job_id: str, resolved: Mapping[str, Any] | None = None) -> bool:
        """Mark a request ``submitted``, with the resolved request from the worker."""
        text = None if resolved is None else json.dumps(resolved)
        return await self.move_row(sql.SUBMITTED, key, job_id, self.clock.now(), text)

    async def set_resolved(self, key: str, resolved: Mapping[str, Any]) -> bool:
        """The worker has made more of it since it was submitted."""
        return await self.move_row(sql.SET_RESOLVED, key, json.dumps(resolved))

    async def set_notes(self, key: str, notes: Iterable[str]) -> None:
        """Store notes for an answer, so that they survive a restart between its pieces."""

        async def work(conn: Connection) -> None:
            await conn.execute(sql.SET_NOTES, key, json.dumps(list(notes)))

        await self.write(work)

    async def kept_again(self, key: str) -> bool:
        """Back to ``kept``: the worker has forgotten the job, so submit it again."""
        return await self.move_row(sql.KEPT_AGAIN, key)

    async def finish(
        self,
        key: str,
        outcome: str,
        parts: Iterable[Part] = (),
        *,
        cancel_owed: bool = False,
        follow: Request | None = None,
    ) -> bool:
        """``done``, with the messages that say so, and the request that follows from it; false if it was done already
        (then nothing is stored)."""

        async def work(conn: Connection) -> bool:
            now = self.clock.now()
            if await conn.fetchrow(sql.FINISH, key, outcome, now, int(cancel_owed)) is None:
                return False
            if follow is not None:
                await inserts.add_request(conn, follow)
            for part in parts:
                await inserts.add_part(conn, part, now)
            return True

        return await self.write(work)

    async def move(
        self, old: str, new: str, moving: Sequence[Part], unwanted: Sequence[Part], *, private: bool
    ) -> list[Request]:
        """The open requests of a room belong to another one from now on, and so do those of their parts that have not
        been sent; ``unwanted`` ones are dropped. What shows progress in the old room gets the name ``…/in/ROOM``.
        ``private``: the old room is encrypted."""
        now = self.clock.now()
        return await self.write(lambda conn: inserts.move(conn, old, new, moving, unwanted, private, now))

    async def retime(self, request: Request) -> None:
        """Store the adjusted times of an open request after a clock was set."""
        await self.move_row(sql.RETIME, request.key, request.created_at, request.expires_at, request.sent_at)

    async def last_turn(self, room: str, sender: str) -> Request | None:
        """That person's newest request for a chat there."""
        found = await self._requests(sql.LAST_TURN, room, sender)
        return found[0] if found else None

    async def last_drawn_in(self, room: str, thread: str) -> Request | None:
        """The newest request for pictures that was typed in that thread."""
        found = await self._requests(sql.LAST_DRAWN_IN, room, thread)
        return found[0] if found else None

    async def unclosed(self, since: float) -> list[Request]:
        """Requests cancelled after ``since`` whose room may not show it yet."""
        return await self._requests(sql.UNCLOSED, since)

    async def cancels_owed(self) -> list[Request]:
        return await self._requests(sql.CANCELS_OWED)

    async def owe_cancel(self, key: str) -> bool:
        """Have a job cancelled whose request is already done."""
        return await self.move_row(sql.OWE_CANCEL, key)

    async def cancel_paid(self, key: str) -> None:
        await self.move_row(sql.CANCEL_PAID, key)
