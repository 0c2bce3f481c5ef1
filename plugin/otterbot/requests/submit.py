"""Submits kept requests to the worker, in order, until it answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from weakref import WeakValueDictionary

from ..errors import OtterbotError, WorkerForeign, WorkerRefused, WorkerUnauthorized, WorkerUnreachable
from ..store.rows import RequestState
from ..store.store import Store
from ..waiting import news
from ..worker.client import WorkerClient
from ..worker.jobs import Job
from .active import ActiveRequest, CannotAsk, Kind
from .active_requests import ActiveRequests
from .signals import Bell

BACKOFF = (0.3, 1.0, 2.0, 5.0, 10.0, 20.0)


class Submitter:
    """Submits one request at a time, people in turn."""

    def __init__(
        self,
        store: Store,
        worker: WorkerClient,
        kinds: Mapping[str, Kind],
        active: ActiveRequests,
        bell: Bell,
        log: logging.Logger,
    ) -> None:
        self._store = store
        self._worker = worker
        self._kinds = kinds
        self._active = active
        self._bell = bell
        self._log = log
        self._turn = asyncio.Lock()
        self._own_turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """One lock per person: a person with a hundred requests waits in the line once."""
        self._away = False
        """The last submission failed to reach the worker."""

    async def submit(self, active: ActiveRequest) -> Job | WorkerRefused | CannotAsk | None:
        """Try until the worker accepts or finally refuses it; ``None``: the request ended meanwhile."""
        try:
            return await self._until_answered(active)
        finally:
            if self._away and not active.open:
                self._worker.stream.reconnect()  # to find out how the worker stands: nobody may submit for long

    async def _until_answered(self, active: ActiveRequest) -> Job | WorkerRefused | CannotAsk | None:
        tries, kind = 0, self._kinds[active.request.kind]
        while active.open and active.request.state is RequestState.KEPT:
            bell = self._bell.next
            try:
                body = await kind.body(active)
                if body is not None:
                    return await self._submit(active, body)
                wait: float | None = None
            except CannotAsk as reason:
                return reason
            except (WorkerUnreachable, WorkerUnauthorized) as error:
                active.promised, active.disk_full, self._away = True, False, True
                self._active.worker_lost(
                    unauthorized=isinstance(error, WorkerUnauthorized), foreign=isinstance(error, WorkerForeign)
                )
                wait = BACKOFF[min(tries, len(BACKOFF) - 1)]
            except WorkerRefused as refusal:
                self._answers()
                if refusal.disk_full and active.promised:
                    active.disk_full = True
                    active.changed.set()
                elif not kind.mend(active, refusal):
                    return refusal
                wait = BACKOFF[min(tries, len(BACKOFF) - 1)]
            except Exception as error:
                level = logging.WARNING if isinstance(error, OtterbotError | OSError) else logging.ERROR
                self._log.log(level, "Cannot submit yet: %s", type(error).__name__)
                wait = BACKOFF[min(tries, len(BACKOFF) - 1)]
            tries += 1
            await news(bell, wait)
        return None

    async def _submit(self, active: ActiveRequest, body: dict[str, object]) -> Job | None:
        request = active.request
        own_turn = self._own_turns.setdefault(request.sender, asyncio.Lock())
        async with own_turn, self._turn:
            try:
                job = await self._worker.submit(
                    key=request.key,
                    kind=request.submitted_as,
                    owner=request.sender,
                    room=request.origin,
                    private=request.private,
                    request=body,
                )
            except WorkerRefused as refusal:
                if refusal.code != "key_reused":
                    raise
                # The answer to an earlier submission was lost, and the chat history has grown since.
                found = await self._worker.job_by_key(request.key)
                if found is None:
                    raise
                job = found
            self._answers()
        if not await self._store.submitted(request.key, job.id, job.resolved):
            await self._store.owe_cancel(request.key)  # cancelled while it was being submitted
            await self._worker.cancel(job.id)
            return None
        resolved = active.request.resolved if job.resolved is None else job.resolved
        active.request = replace(active.request, state=RequestState.SUBMITTED, job_id=job.id, resolved=resolved)
        self._worker.stream.hurry()
        return job

    def _answers(self) -> None:
        """The worker answers. If it did not before: wake all, so that the longest waiting goes first, and begin the
        event stream again. One that stayed connected meanwhile has no news of what submissions found out."""
        if self._away:
            self._away = False
            self._bell.ring()
            self._worker.stream.reconnect()
