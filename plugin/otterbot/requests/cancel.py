"""Cancelling of requests: by a command, by an edit, or by deleting the message."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

from .. import texts
from ..outbox.queue import Outbox
from ..store.part_names import COPY, PartName
from ..store.rows import Part, PartState, Rank, Request, RequestState, copy_key, follow_key, key_of
from ..store.store import Commit, Store
from ..waiting import surely
from . import sheets
from .active import ActiveRequest, RequestEnd
from .active_requests import ActiveRequests
from .completion import REPLACED, Completion, closing, unsend, unsend_copy
from .signals import Signals

RECENT = 24 * 3600.0
"""Seconds for which cancelled requests are still looked after."""


class Cancellation:
    """Marks the request in the database first, then stops its job and parts, and tells the room."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        active: ActiveRequests,
        completion: Completion,
        signals: Signals,
        bot: str,
        log: logging.Logger,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._active = active
        self._completion = completion
        self._signals = signals
        self._bot = bot
        self._log = log

    async def resume(self) -> None:
        """Finish cancellations that a crash interrupted after the mark."""
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
        if active is None or active.request.cancel_owed or self._active.worker.away_since is not None:
            return False
        if active.request.state is not RequestState.SUBMITTED:
            return False
        return bool(active.chat_text.strip()) if active.request.kind == "chat" else _fills_a_sheet(active)

    def were_stopped(self, requests: Iterable[Request]) -> None:
        """The database says that the worker is owed a cancellation; the answer's end comes from the worker."""
        for request in requests:
            active = self._active.get(request.key)
            if active is not None:
                active.request = replace(active.request, cancel_owed=True)
        self._signals.housekeeping.set()

    async def were_cancelled(self, requests: Iterable[Request], *, replaced: bool = False) -> None:
        """The requests are ``done`` in the database: stop their jobs and parts. ``replaced``: an edit of the message
        has made a new request."""
        outcome, line = (REPLACED, texts.EDITED) if replaced else ("cancelled", texts.CANCELLED)
        ending = RequestEnd(outcome=outcome, well=False, line=line)
        for request in requests:

            async def stop(request: Request = request) -> None:
                await self._stop(request, ending)

            await surely(stop, self._log)
        self._signals.housekeeping.set()

    async def _stop(self, request: Request, ending: RequestEnd) -> None:
        active = self._active.get(request.key)
        if active is not None:
            await active.fall_silent()
        await self.take_results_back(request)
        for part in await closing(self._store, self._outbox, request, ending):
            await self._outbox.post(part)
        if active is not None:
            await self._completion.close(active, ending)

    async def take_results_back(self, request: Request) -> None:
        """Withdraw unsent results. Those being sent are deleted once they are in the room. Their pictures leave the
        archive in both cases."""
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
        """A message was deleted, or a reaction taken back: cancel its request, or delete its picture from the
        archive."""
        request = await self._store.request_by_event(event_id)
        request = request or await self._store.request(key_of(self._bot, room, event_id))
        followed = None if request is None else await self._store.request(follow_key(request.key))
        for one in (request, followed):
            if one is not None and one.open and one.origin == room:
                await self.cancel([one.key], one.room_id)
        if await self._store.let_go(event_id):
            self._signals.housekeeping.set()
        part = await self._store.part_by_event(event_id)
        if part is None or part.room_id != room:
            return
        copy = await self._store.part(copy_key(self._bot, event_id), COPY)
        if copy is not None and copy.state not in (PartState.FAILED, PartState.DROPPED):
            await self._outbox.post(unsend_copy(copy))
        if await self._store.owe_delete(event_id):
            self._signals.housekeeping.set()
        if part.part.is_picture:
            await self._film_too(part)

    async def _film_too(self, picture: Part) -> None:
        """A picture was deleted: how it was drawn shows it as well."""
        request = await self._store.request(picture.key)
        film = await self._store.part(picture.key, PartName.film(picture.part.number))
        if request is None or film is None or await self._outbox.withdraw(*film.id):
            return
        if film.state in (PartState.SENDING, PartState.SENT):
            await self._outbox.post(unsend(request, film))


def _fills_a_sheet(active: ActiveRequest) -> bool:
    """Is it a sweep that comes on a sheet, of which something is drawn?"""
    swept = bool((active.request.body or {}).get("sweep")) and sheets.wanted(active.request, {})
    job = active.job
    return swept and job is not None and any(picture.result is not None for picture in job.pictures)


def _under_way(part: Part, request: Request) -> bool:
    """Whether the part was being sent when the request was cancelled."""
    sent_since = request.done_at is not None and part.updated_at >= request.done_at
    return part.state is PartState.SENDING or (part.state is PartState.SENT and sent_since)
