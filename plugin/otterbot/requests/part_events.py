"""Reacts to the outbox: a part was sent, was given up, or its result is gone."""

from __future__ import annotations

from ..errors import WorkerError, WorkerRefused
from ..outbox.queue import Outbox
from ..store.rows import Part
from ..store.store import Store
from ..worker.client import WorkerClient
from . import completion
from .active import ActiveRequest, comes_again
from .delivery import Delivery


class PartNews:
    """The outbox's :class:`~..outbox.listeners.PartListener`."""

    def __init__(self, store: Store, worker: WorkerClient, outbox: Outbox, delivery: Delivery) -> None:
        self._store = store
        self._worker = worker
        self._outbox = outbox
        self._delivery = delivery
        self._housekeeping = delivery.signals.housekeeping

    async def sent(self, part: Part, event_id: str | None) -> None:
        if part.image_id is not None:
            self._housekeeping.set()
        active = self._delivery.active(part.key)
        if active is not None and part.room_id != active.request.room_id:
            self._outbox.blocked.doubt(part.room_id)  # it was being sent when the room was upgraded
        await self._look_again(active)

    async def failed(self, part: Part, reason: str) -> None:
        active = self._delivery.active(part.key)
        if active is not None and not part.part.is_forgone:
            active.reasons.add(reason)
        if part.image_id is not None:
            self._housekeeping.set()
        await self._look_again(active)

    async def _look_again(self, active: ActiveRequest | None) -> None:
        if active is not None and active.job is not None:
            await self._delivery.look(active)

    async def missing(self, part: Part) -> None:
        active = self._delivery.active(part.key)
        if active is None or part.part.is_forgone or await self._is_over(part.key):
            await self._give_up(part)
        else:  # not one of the request's tasks: it must give up the part even if the request ends meanwhile
            self._delivery.spawn(self._still_there(active, part), "otterbot missing")

    async def _is_over(self, key: str) -> bool:
        """Whether the request is done, by the database."""
        request = await self._store.request(key)
        return request is None or not request.open

    async def _still_there(self, active: ActiveRequest, part: Part) -> None:
        """A result is gone: ask whether the worker has forgotten the whole job, or only this picture."""
        job_id, gone = active.request.job_id, False
        try:
            if job_id is not None:
                job = await self._worker.job(job_id)
                gone = not comes_again(job, part)
                if not gone:
                    await self._delivery.hear(job)
        except WorkerRefused as refusal:
            if refusal.not_found:
                await self._delivery.forgotten(active)
        except WorkerError:
            pass  # the next snapshot starts a new build
        if gone or await self._is_over(part.key):
            await self._give_up(part)

    async def _give_up(self, part: Part) -> None:
        if await self._outbox.give_up(*part.id, "gone"):
            await self.failed(part, "gone")

    async def no_encryption(self, part: Part) -> Part | None:
        if part.part.is_forgone:
            return None  # the picture itself says it
        notice = completion.no_encryption(part, await self._store.request(part.key))
        return notice if await self._store.add_part(notice) else None
