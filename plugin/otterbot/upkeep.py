"""What is owed to the worker and to the database: acknowledgements, cancels, deletions, expiry, pruning."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from .errors import WorkerError
from .records import Request
from .store import Store
from .waiting import news
from .worker_client import WorkerClient

RETRY = 20.0
IDLE = 600.0
PRUNE_EVERY = 6 * 3600.0


class Upkeep:
    """One loop, woken by news; nothing that it does is urgent, all of it is retried."""

    def __init__(
        self,
        store: Store,
        worker: WorkerClient,
        expire: Callable[[Request], Awaitable[None]],
        log: logging.Logger,
    ) -> None:
        self._store = store
        self._worker = worker
        self._expire = expire
        self._log = log
        self._wake = asyncio.Event()
        self._pruned = 0.0

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        while True:
            self._wake.clear()
            wait = IDLE
            try:
                next_expiry = await self._expire_old()
                if next_expiry is not None:
                    wait = min(wait, max(0.05, next_expiry - time.time()))
                if not await self._pay():
                    wait = min(wait, RETRY)
                await self._prune()
            except Exception as error:
                self._log.error("Upkeep: %s", type(error).__name__)
                wait = RETRY
            await news(self._wake, wait)

    async def _expire_old(self) -> float | None:
        """Give old requests back; when the next one is due."""
        now, upcoming = time.time(), list[float]()
        for request in await self._store.open_requests():
            if request.expires_at <= now:
                await self._expire(request)
            else:
                upcoming.append(request.expires_at)
        return min(upcoming, default=None)

    async def _pay(self) -> bool:
        """Tell the worker what it has to know; false if it could not be told everything."""
        try:
            for part in await self._store.acks_owed():
                if part.image_id is not None:
                    await self._worker.delivered(part.image_id)
                await self._store.ack_paid(*part.id)
            for part in await self._store.deletes_owed():
                if part.image_id is not None:
                    await self._worker.delete_image(part.image_id)
                await self._store.delete_paid(*part.id)
            for request in await self._store.cancels_owed():
                await self._cancel(request)
                await self._store.cancel_paid(request.key)
        except WorkerError:
            return False
        return True

    async def _cancel(self, request: Request) -> None:
        job_id = request.job_id
        if job_id is None:  # it may have arrived without our hearing of it
            job = await self._worker.job_by_key(request.key)
            job_id = None if job is None or job.final else job.id
        if job_id is not None:
            await self._worker.cancel(job_id)

    async def _prune(self) -> None:
        if time.monotonic() - self._pruned > PRUNE_EVERY or self._pruned == 0.0:
            await self._store.prune(time.time())
            self._pruned = time.monotonic()
