"""What follows when the outbox has sent a part, has given one up, or finds that its result is gone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ..errors import WorkerError, WorkerRefused
from ..outbox.listeners import Hooks
from ..outbox.sends import Outbox
from ..store.rows import Part
from ..store.store import Store
from ..worker.client import WorkerClient
from ..worker.jobs import Job
from . import completion
from .active import Live, comes_again
from .job_lookup import Asking


class PartNews:
    """Owned by delivery; answers the outbox's hooks."""

    def __init__(
        self,
        store: Store,
        worker: WorkerClient,
        outbox: Outbox,
        asking: Asking,
        *,
        live: Callable[[str], Live | None],
        hear: Callable[[Job], Awaitable[None]],
        look: Callable[[Live], Awaitable[None]],
        wake: Callable[[], None],
        spawn: Callable[[Coroutine[Any, Any, None], str], object],
    ) -> None:
        """``hear`` takes in what the worker says of a job, ``look``: what follows from what is known of it now?
        ``wake``: something may be owed to the worker."""
        self._store = store
        self._worker = worker
        self._outbox = outbox
        self._asking = asking
        self._live = live
        self._hear = hear
        self._look = look
        self._wake = wake
        self._spawn = spawn
        outbox.hooks = Hooks(
            sent=self._sent, failed=self._failed, missing=self._missing, no_encryption=self._no_encryption
        )

    async def _sent(self, part: Part, event_id: str | None) -> None:
        if part.image_id is not None:
            self._wake()
        live = self._live(part.key)
        if live is not None and part.room_id != live.request.room_id:
            self._outbox.barred.doubt(part.room_id)  # it was being sent when its room was closed
        await self._look_again(live)

    async def _failed(self, part: Part, reason: str) -> None:
        live = self._live(part.key)
        if live is not None:
            live.reasons.add(reason)
        if part.image_id is not None:
            self._wake()
        await self._look_again(live)

    async def _look_again(self, live: Live | None) -> None:
        if live is not None and live.job is not None:
            await self._look(live)

    async def _missing(self, part: Part) -> None:
        live = self._live(part.key)
        if live is None or await self._is_over(part.key):
            await self._outbox.give_up(*part.id)
        else:  # not a task of the request's own: it has to give the part up when the request ends meanwhile
            self._spawn(self._still_there(live, part), "otterbot missing")

    async def _is_over(self, key: str) -> bool:
        """By the database, which knows it before anything else is told."""
        request = await self._store.request(key)
        return request is None or not request.open

    async def _still_there(self, live: Live, part: Part) -> None:
        """A result is gone: either the worker has forgotten everything, or only this."""
        job_id, gone = live.request.job_id, False
        try:
            if job_id is not None:
                job = await self._worker.job(job_id)
                gone = not comes_again(job, part)
                if not gone:
                    await self._hear(job)
        except WorkerRefused as refusal:
            if refusal.not_found:
                await self._asking.forgotten(live)
        except WorkerError:
            pass  # the next snapshot builds again
        if gone or await self._is_over(part.key):
            await self._outbox.give_up(*part.id)

    async def _no_encryption(self, part: Part) -> Part | None:
        notice = completion.no_encryption(part, await self._store.request(part.key))
        return notice if await self._store.add_part(notice) else None
