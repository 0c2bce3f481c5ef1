"""How does it stand with a job of which the worker says nothing by itself? It is asked; and what it has forgotten is
submitted to it again."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from ..errors import WorkerError, WorkerRefused
from ..store.rows import RequestState
from ..store.store import Store
from ..worker.client import WorkerClient
from ..worker.jobs import Job
from .active import Live
from .submit import Submitter

AT_A_TIME = 20
"""How many jobs without news are asked for, one after another."""


class Asking:
    """Owned by delivery."""

    def __init__(
        self,
        store: Store,
        worker: WorkerClient,
        hear: Callable[[Job], Awaitable[None]],
        submitter: Submitter,
        missed: Callable[[Exception], None],
        log: logging.Logger,
    ) -> None:
        """``hear`` takes the answer in; ``missed``: it could not be taken in, all of it is to be heard again."""
        self._store = store
        self._worker = worker
        self._hear = hear
        self._submitter = submitter
        self._missed = missed
        self._log = log

    async def ask(self, live: Live) -> None:
        """How does it stand with a job that is not among the open ones?"""
        job_id = live.request.job_id
        if job_id is None:
            return
        try:
            job = await self._worker.job(job_id)
            if job.key == live.key:
                await self._hear(job)
            else:
                await self.forgotten(live)  # another worker's job of the same name
        except WorkerRefused as refusal:
            if refusal.not_found:
                await self.forgotten(live)
        except WorkerError:
            return  # the next snapshot asks again
        except Exception as error:
            self._missed(error)

    async def overdue(self, lives: Iterable[Live], since: float) -> None:
        """Ask for jobs of which nothing was heard since then (``time.monotonic()``), the most forgotten first."""
        waiting = (live for live in lives if live.request.state is RequestState.SUBMITTED and live.heard_at < since)
        for live in sorted(waiting, key=lambda one: one.heard_at)[:AT_A_TIME]:
            await self.ask(live)

    async def forgotten(self, live: Live) -> None:
        """The worker does not know it: the stored body makes the same pictures again."""
        if live.job is not None and live.job.turn is not None and live.job.turn.answered:
            return  # all of the answer is here already
        if live.open and await self._store.kept_again(live.key):
            self._log.warning("The worker has forgotten a job; it is submitted again")
            live.request = replace(live.request, state=RequestState.KEPT, job_id=None)
            live.promised = True
            live.forget_job()
            self._submitter.submit(live)
