"""Deferred work for the worker and the database: acknowledgements, cancels, deletions, expiry, pruning."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from ..clock import steady
from ..errors import WorkerError, WorkerRefused
from ..store.part_names import SHEET, PartName
from ..store.rows import Part, PartState, Request
from ..store.store import Store
from ..waiting import news
from ..worker.client import WorkerClient
from ..worker.jobs import Job

USERS = "users"
"""The feature of a worker that knows which jobs have a picture."""
INFO_SECONDS = 60.0
"""Seconds for which the worker's features are believed."""
RETRY = 20.0
IDLE = 600.0
PRUNE_EVERY = 6 * 3600.0


class Housekeeping:
    """One loop, woken by news; nothing here is urgent, and everything is retried."""

    def __init__(
        self,
        store: Store,
        worker: WorkerClient,
        expire: Callable[[Request], Awaitable[None]],
        wake: asyncio.Event,
        log: logging.Logger,
    ) -> None:
        self._store = store
        self._worker = worker
        self._expire = expire
        self._log = log
        self._wake = wake
        self._pruned: float | None = None

    async def run(self) -> None:
        while True:
            self._wake.clear()
            wait = IDLE
            try:
                left = await self._expire_old()
                if left is not None:
                    wait = min(wait, max(0.05, left))
                if not await self._pay():
                    wait = min(wait, RETRY)
                await self._prune()
            except Exception as error:
                self._log.error("Housekeeping: %s", type(error).__name__)
                wait = RETRY
            await news(self._wake, wait)

    async def _expire_old(self) -> float | None:
        """Expire old requests. Returns the seconds until the next one. While the time is unknown, none is old.

        :class:`~.retiming.Retiming` wakes this loop when the time becomes known, and when the clock was set.
        """
        if not self._store.clock.known:
            return None
        now, left = self._store.clock.now(), list[float]()
        for request in await self._store.open_requests():
            if request.expires_at <= now:
                await self._expire(request)
            else:
                left.append(request.expires_at - now)
        return min(left, default=None)

    async def _pay(self) -> bool:
        """Send all deferred calls to the worker; false if some failed."""
        store, told = self._store, True
        try:
            for part in await store.acks_owed():
                if await self._is_to_be_filmed(part):
                    continue  # its end wakes this loop
                told &= await self._tell(self._worker.delivered, part, store.ack_paid)
            for part in await store.deletes_owed():
                if part.event_id is None and await self._is_of_a_sheet(part.key, part.image_id):
                    await store.delete_paid(*part.id)
                    continue
                told &= await self._tell(partial(self._worker.delete_image, key=part.key), part, store.delete_paid)
            for part in await store.keeps_owed():
                told &= await self._tell(await self._keeping(part), part, store.keep_paid)
            for request in await store.cancels_owed():
                told &= await self._cancel(request)
        except WorkerError:
            return False
        return told

    async def _is_to_be_filmed(self, part: Part) -> bool:
        """Whether the worker has to keep the picture, since its film does not stand in the room yet."""
        request = await self._store.request(part.key)
        return request is not None and request.open and (request.body or {}).get("film") is True

    async def _tell(
        self, say: Callable[[str], Awaitable[None]], part: Part, paid: Callable[[str, PartName], Awaitable[None]]
    ) -> bool:
        try:
            image_id = part.image_id or await self._image_of(part)
            if image_id is not None:
                await say(image_id)
        except WorkerRefused as refusal:  # a refusal of one call must not stop the others
            self._log.warning("The worker does not take what it has to know of a picture: %s", refusal)
            return False
        await paid(*part.id)
        return True

    async def _keeping(self, part: Part) -> Callable[[str], Awaitable[None]]:
        kept = part.event_id is not None and await self._store.is_kept(part.event_id)
        return self._worker.keep if kept else self._worker.let_go

    async def _image_of(self, part: Part) -> str | None:
        """The picture of a part that only its event knew of, of a database that was lost: by its job, while the worker
        has that."""
        job = await self._worker.job_by_key(part.key)
        if job is not None and part.part == SHEET:
            return None if job.sheet is None or job.sheet.picture is None else job.sheet.picture.image_id
        for picture in () if job is None else job.pictures:
            if part.part == PartName.picture(picture.index) and picture.result is not None:
                return picture.result.image_id
        return None

    async def _cancel(self, request: Request) -> bool:
        """Cancel its job, and delete its pictures, which will not be posted; but those of a request that ends with what
        has come of it."""
        try:
            job_id = request.job_id
            if job_id is None:  # the job may have been accepted although the answer was lost
                job = await self._worker.job_by_key(request.key)
                job_id = None if job is None else job.id
            job = None if job_id is None else await self._worker.cancel(job_id)
            if job is not None and job.key == request.key and not await self._goes_on(request.key):
                await self._discard(job)
        except WorkerRefused as refusal:
            self._log.warning("The worker does not take a cancellation: %s", refusal)
            return False
        await self._store.cancel_paid(request.key)
        return True

    async def _goes_on(self, key: str) -> bool:
        now = await self._store.request(key)
        return now is not None and now.open

    async def _is_of_a_sheet(self, key: str, image_id: str | None) -> bool:
        """Whether the picture was drawn for a sheet that it was only chosen from, and the worker is too old to know who
        else has it: it is gone when that sheet is, and not because somebody's choice does not come."""
        request = await self._store.request(key)
        if request is None or image_id is None or (request.body or {}).get("drawn_before") != image_id:
            return False
        return USERS not in (await self._worker.info(INFO_SECONDS)).features

    async def _discard(self, job: Job) -> None:
        """Delete its pictures, except those with a part, which decides itself."""
        standing = await self._store.parts_of(job.key)
        sheet = standing.get(SHEET)
        if sheet is not None and sheet.state is PartState.SENT:
            return  # it came before the worker was told: they are to be chosen from, and go with it
        for picture in job.pictures:
            part, result = standing.get(PartName.picture(picture.index)), picture.result
            if result is None:
                continue
            if await self._is_of_a_sheet(job.key, result.image_id):
                continue
            if part is None or part.image_id != result.image_id:
                await self._worker.delete_image(result.image_id, job.key)

    async def _prune(self) -> None:
        if not self._store.clock.known:
            return
        if self._pruned is None or steady() - self._pruned > PRUNE_EVERY:
            await self._store.prune(self._store.clock.now())
            self._pruned = steady()
