"""Requests that are taken back: by a command, by an edit, or with the message that asked for them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

from .. import texts
from ..outbox.queue import Outbox
from ..store.rows import Part, PartState, Rank, Request, RequestState
from ..store.store import Commit, Store
from ..waiting import surely
from .active import Ending
from .active_requests import ActiveRequests
from .completion import REPLACED, Completion, closing, unsend
from .signals import Signals

RECENT = 24 * 3600.0
"""Seconds; what was cancelled before that is past."""


class Cancellation:
    """The database says it first; then everything that was under way is stopped, and the room is told."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        active: ActiveRequests,
        completion: Completion,
        signals: Signals,
        log: logging.Logger,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._active = active
        self._completion = completion
        self._signals = signals
        self._log = log

    async def resume(self) -> None:
        """Finish what a crash left between the mark and what says so."""
        for request in await self._store.unclosed(self._store.clock.now() - RECENT):
            await self.were_cancelled([request], replaced=request.outcome == REPLACED)

    async def cancel(self, keys: Iterable[str], room: str) -> None:
        """Cancel requests of that room."""
        done = await self._store.commit(Commit(mark=None, room_id=room, cancel=list(keys)))
        await self.were_cancelled(done.cancelled)

    def keeps(self, key: str) -> bool:
        """Has something come of that request that stays when it is stopped? Not where the worker could not be told, or
        was told already: then it ends at once."""
        active = self._active.get(key)
        if active is None or active.request.kind != "chat" or active.request.cancel_owed:
            return False
        submitted = active.request.state is RequestState.SUBMITTED
        return submitted and self._active.worker.away_since is None and bool(active.chat_text.strip())

    def were_stopped(self, requests: Iterable[Request]) -> None:
        """The database says that the worker is owed a cancellation; the answer's end comes from the worker."""
        for request in requests:
            active = self._active.get(request.key)
            if active is not None:
                active.request = replace(active.request, cancel_owed=True)
        self._signals.housekeeping.set()

    async def were_cancelled(self, requests: Iterable[Request], *, replaced: bool = False) -> None:
        """They are ``done`` in the database already: stop everything that was under way.
        ``replaced``: because the message was edited, and what it asks for now comes instead."""
        outcome, line = (REPLACED, texts.EDITED) if replaced else ("cancelled", texts.CANCELLED)
        ending = Ending(outcome=outcome, well=False, line=line)
        for request in requests:

            async def stop(request: Request = request) -> None:
                await self._stop(request, ending)

            await surely(stop, self._log)
        self._signals.housekeeping.set()

    async def _stop(self, request: Request, ending: Ending) -> None:
        active = self._active.get(request.key)
        if active is not None:
            await active.fall_silent()
        await self.take_results_back(request)
        for part in await closing(self._store, self._outbox, request, ending):
            await self._outbox.post(part)
        if active is not None:
            await self._completion.close(active, ending)

    async def take_results_back(self, request: Request) -> None:
        """What has not been sent is not; what was on its way when the request was cancelled is deleted once it stands
        in the room. Its picture leaves the archive in both cases."""
        for part in (await self._store.parts_of(request.key)).values():
            if part.rank != Rank.RESULT:
                continue
            if await self._outbox.withdraw(*part.id):
                continue
            now = await self._store.part(*part.id)
            if now is not None and _under_way(now, request):
                await self._store.owe_delete_of(*part.id)
                await self._outbox.post(unsend(request, now))
        self._signals.housekeeping.set()

    async def redacted(self, room: str, event_id: str) -> None:
        """Somebody deleted a message: a request is cancelled with it, a picture leaves the archive."""
        request = await self._store.request_by_event(event_id)
        if request is not None and request.open and request.origin == room:
            await self.cancel([request.key], request.room_id)
        part = await self._store.part_by_event(event_id)
        if part is not None and part.room_id == room and await self._store.owe_delete(event_id):
            self._signals.housekeeping.set()


def _under_way(part: Part, request: Request) -> bool:
    """Was it being sent when the request was cancelled?"""
    sent_since = request.done_at is not None and part.updated_at >= request.done_at
    return part.state is PartState.SENDING or (part.state is PartState.SENT and sent_since)
