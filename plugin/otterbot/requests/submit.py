"""Kept requests on their way to the worker: tried again until it answers, in the order they came."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol
from weakref import WeakValueDictionary

from ..errors import OtterbotError, WorkerForeign, WorkerRefused, WorkerUnauthorized, WorkerUnreachable
from ..store.rows import RequestState
from ..store.store import Store
from ..waiting import news
from ..worker.client import WorkerClient
from ..worker.jobs import Job
from .active import CannotAsk, Kind, Live

BACKOFF = (0.3, 1.0, 2.0, 5.0, 10.0, 20.0)


class Receiver(Protocol):
    """What becomes of a submission; implemented by delivery."""

    async def accepted(self, live: Live, job: Job) -> None: ...
    async def refused(self, live: Live, refusal: WorkerRefused | CannotAsk) -> None: ...
    def away(self, *, unauthorized: bool, foreign: bool) -> None: ...


class Submitter:
    """One task for each kept request; they post one after another, people in turn."""

    def __init__(
        self,
        store: Store,
        worker: WorkerClient,
        kind_of: Callable[[Live], Kind],
        receiver: Receiver,
        log: logging.Logger,
    ) -> None:
        self._store = store
        self._worker = worker
        self._kind_of = kind_of
        self._receiver = receiver
        self._log = log
        self._turn = asyncio.Lock()
        self._own_turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """One for each person: whoever asked for a hundred pictures stands in the line once."""
        self._poked = asyncio.Event()
        self._away = False
        """The last submission did not reach the worker."""

    def poke(self) -> None:
        """The worker is back, or something ended that others waited for: try at once."""
        self._poked.set()
        self._poked = asyncio.Event()

    def submit(self, live: Live) -> None:
        live.spawn(asyncio.create_task(self._run(live), name="otterbot submit"))

    async def _run(self, live: Live) -> None:
        tries = 0
        while live.open and live.request.state is RequestState.KEPT:
            poked = self._poked
            try:
                body = await self._kind_of(live).body(live)
                if body is not None:
                    await self._submit(live, body)
                    return
                wait: float | None = None
            except CannotAsk as reason:
                await self._receiver.refused(live, reason)
                return
            except (WorkerUnreachable, WorkerUnauthorized) as error:
                live.promised, live.disk_full, self._away = True, False, True
                self._receiver.away(
                    unauthorized=isinstance(error, WorkerUnauthorized), foreign=isinstance(error, WorkerForeign)
                )
                wait = BACKOFF[min(tries, len(BACKOFF) - 1)]
            except WorkerRefused as refusal:
                if refusal.disk_full and live.promised:
                    live.disk_full = True
                    live.changed.set()
                elif not self._kind_of(live).mend(live, refusal):
                    await self._receiver.refused(live, refusal)
                    return
                wait = BACKOFF[min(tries, len(BACKOFF) - 1)]
            except Exception as error:
                level = logging.WARNING if isinstance(error, OtterbotError | OSError) else logging.ERROR
                self._log.log(level, "Cannot submit yet: %s", type(error).__name__)
                wait = BACKOFF[min(tries, len(BACKOFF) - 1)]
            tries += 1
            await news(poked, wait)

    async def _submit(self, live: Live, body: dict[str, object]) -> None:
        request = live.request
        own_turn = self._own_turns.setdefault(request.sender, asyncio.Lock())
        async with own_turn, self._turn:
            try:
                job = await self._worker.submit(
                    key=request.key,
                    kind=request.kind,
                    owner=request.sender,
                    room=request.origin,
                    private=request.private,
                    request=body,
                )
            except WorkerRefused as refusal:
                if refusal.code != "key_reused":
                    raise
                # An answer of ours was lost, and the history of a chat has grown since.
                found = await self._worker.job_by_key(request.key)
                if found is None:
                    raise
                job = found
            if self._away:  # it is back: else whoever waits for longer just now would be passed
                self._away = False
                self.poke()
        if not await self._store.submitted(request.key, job.id):
            await self._store.owe_cancel(request.key)  # it was cancelled while it was on its way
            await self._worker.cancel(job.id)
            return
        live.request = replace(live.request, state=RequestState.SUBMITTED, job_id=job.id)
        self._worker.hurry()
        await self._receiver.accepted(live, job)
