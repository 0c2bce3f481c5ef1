"""Results of attempts: marks the database, updates the queue, notifies the listener."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable

from ..errors import OtterbotError
from ..store.rows import Kind, Part, PartState, Rank
from ..store.store import Store
from ..waiting import surely
from .entries import Entry
from .listeners import PartListener
from .queue import Outbox

UNREADABLE = 30.0
"""Seconds until an unreadable room is searched again."""


class Results:
    """One per outbox; keeps nothing."""

    def __init__(self, outbox: Outbox, store: Store, listener: PartListener, log: logging.Logger) -> None:
        self._outbox = outbox
        self._store = store
        self._listener = listener
        self._log = log

    async def sent(self, entry: Entry, event_id: str | None) -> None:
        self._outbox.tally.add_sent(Rank(entry.part.rank), time.monotonic() - entry.since)
        if not entry.stored:
            self._outbox.forget(entry)
            return
        # A mark has to be made: without it the same thing would be sent again.
        await surely(lambda: self._store.mark_sent(entry.part, event_id), self._log, for_ever=True)
        self._outbox.forget(entry)
        await self._tell("sent", self._listener.sent(entry.part, event_id))

    async def failed(self, entry: Entry, reason: str) -> None:
        if await self._outbox.discard(entry, reason):
            await self._tell("failed", self._listener.failed(entry.part, reason))

    async def ended_before(self, entry: Entry) -> None:
        """The request ended in the room before this start, although the database says otherwise."""
        await surely(lambda: self._store.mark_failed(*entry.part.id), self._log, for_ever=True)
        self._outbox.forget(entry)
        await self._tell("failed", self._listener.failed(entry.part, "gone"))

    async def missing(self, part: Part) -> None:
        """The worker does not have the part's result any more."""
        await self._tell("missing", self._listener.missing(part))

    async def cannot_encrypt(self, entry: Entry) -> None:
        await self.failed(entry, "cannot_encrypt")
        if entry.stored and entry.part.kind is Kind.MESSAGE:
            notice = await self._listener.no_encryption(entry.part)
            if notice is not None:
                self._outbox.enqueue([notice])

    async def forbidden(self, entry: Entry) -> None:
        """The homeserver refused the event as forbidden."""
        if not entry.stored:
            self._outbox.forget(entry)
        elif entry.lookup:
            entry.not_before = time.monotonic() + UNREADABLE
        else:
            entry.refusals += 1
            await self._store.unmark_sending(*entry.part.id)
        self._outbox.blocked.doubt(entry.part.room_id)

    async def unwanted(self, entry: Entry) -> None:
        """The part was not sent because its request is over, or has moved to another room, which it follows."""
        request = await self._store.request(entry.part.key)
        if entry.part.rank == Rank.RESULT and request is not None and not request.open:
            await self.failed(entry, "gone")  # this also schedules the deletion of its picture
            return
        self._outbox.forget(entry)
        await self._store.unmark_sending(*entry.part.id)  # it was looked for and is not in the room
        stored = await self._store.part(*entry.part.id)
        if stored is not None and stored.state is PartState.READY and stored.room_id == entry.part.room_id:
            self._outbox.blocked.doubt(entry.part.room_id)

    async def _tell(self, what: str, told: Awaitable[None]) -> None:
        """Call the listener; its errors must not stop the outbox."""
        try:
            await told
        except (OtterbotError, OSError) as error:
            self._log.error("After %s: %s", what, type(error).__name__)
