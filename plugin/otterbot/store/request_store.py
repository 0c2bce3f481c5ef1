"""Requests in the database: open, submitted, done."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mautrix.util.async_db import Connection

from . import inserts
from . import queries as sql
from .quotas import DAY, Follow, Over, Quota
from .rows import Part, Request
from .transactions import Transactions


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How the end of a request was stored."""

    done: bool
    """False: it was done before."""
    parts: tuple[Part, ...] = ()
    followed: bool = False
    """The request that follows was accepted."""


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
        follow: Follow | None = None,
    ) -> Finished:
        """``done``, with the messages that say so, and the request that follows from it. Nothing is stored if it was
        done already."""

        async def work(conn: Connection) -> Finished:
            now = self.clock.now()
            if await conn.fetchrow(sql.FINISH, key, outcome, now, int(cancel_owed)) is None:
                return Finished(done=False)
            stored, followed = [*parts], False
            if follow is not None:
                followed = await inserts.too_much(conn, follow.request, follow.quotas, now) is None
                if followed:
                    await inserts.add_request(conn, follow.request)
                stored += follow.parts if followed else follow.instead
            for part in stored:
                await inserts.add_part(conn, part, now)
            return Finished(done=True, parts=tuple(stored), followed=followed)

        return await self.write(work, alone=follow is not None and bool(follow.quotas))

    async def set_made(self, key: str, number: int) -> None:
        """So many of its pictures (or its answer) have been made: they count, however it ends."""
        await self.move_row(sql.SET_MADE, key, number)

    async def set_made_back(self, key: str, number: int) -> None:
        """No more than so many have been made after all."""
        await self.move_row(sql.SET_MADE_BACK, key, number)

    async def too_much(self, request: Request, quotas: Sequence[Quota]) -> Over | None:
        """Whether it would be, were it accepted now. Whoever accepts it has to ask again in the same transaction."""

        async def work(conn: Connection) -> Over | None:
            return await inserts.too_much(conn, request, quotas, self.clock.now())

        return await self.write(work)

    async def used(self, quota: Quota) -> int:
        """How much of it is used up now."""
        rows = await self.db.fetch(sql.USED, quota.kind, self.clock.now() - DAY, quota.sender, quota.room)
        return sum(row["number"] for row in rows)

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
