"""The status message of one request: appears late, and is edited rarely."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from .. import texts
from ..config import Values
from ..matrix import event_content
from ..outbox.queue import Outbox
from ..store.part_names import STATUS, STATUS_EDIT
from ..store.rows import Part, PartState, Rank, RequestState
from ..store.store import Store
from ..waiting import news
from .active import BLINK, ActiveRequest, Kind, WorkerState, rest_of

TASK = "otterbot status"
SLOWER = 1.15
"""Each pause between edits is longer by this factor: thirty edits last for half an hour."""


def compose(active: ActiveRequest, worker: WorkerState, now: float) -> str:
    """The current status text. ``now``: ``time.monotonic()``."""
    request, job = active.request, active.job_at(now)
    if worker.unauthorized:
        return texts.KEPT_UNAUTHORIZED
    if worker.foreign:
        return texts.KEPT_FOREIGN
    if worker.is_away(now) or (worker.away_since is not None and request.state is RequestState.KEPT):
        return texts.kept(request.expires_at, now=worker.clock.now())
    if active.disk_full and request.state is RequestState.KEPT:
        return texts.kept_disk_full(request.expires_at, now=worker.clock.now())
    if job is None:
        return texts.SUBMITTING
    if job.final:
        return texts.UPLOADING
    return texts.status_line(job, worker.pause, notes=(*request.notes, *map(texts.plain_sentence, job.notes)))


def show(
    active: ActiveRequest, kind: Kind, outbox: Outbox, store: Store, worker: WorkerState, values: Callable[[], Values]
) -> None:
    """Start the status message in the request's current room, unless its ``kind`` shows progress itself."""
    for task in active.tasks:
        if task.get_name() == TASK:
            task.cancel()
    if kind.own_status:
        return
    line = StatusLine(active, outbox, store, worker, values)
    active.spawn(asyncio.create_task(line.run(), name=TASK))


class StatusLine:
    """Runs as one task for as long as the request is open."""

    def __init__(
        self, active: ActiveRequest, outbox: Outbox, store: Store, worker: WorkerState, values: Callable[[], Values]
    ) -> None:
        self._live = active
        self._outbox = outbox
        self._store = store
        self._worker = worker
        self._values = values

    async def run(self) -> None:
        active, status = self._live, self._values().status
        await asyncio.sleep(rest_of(status.after_seconds, active.request, self._store.clock.now()))
        text = compose(active, self._worker, time.monotonic())
        content = await event_content.notice(text, active.key, STATUS, active.request)
        async with active.saying:
            request = active.request
            part = Part(
                key=active.key, part=STATUS, room_id=request.room_id, rank=Rank.STATUS, content=content,
                moved=request.moved,
            )  # fmt: skip
            if active.open and not active.ending:
                await self._outbox.post(part)
        await self._keep_up(text)

    async def _keep_up(self, said: str) -> None:
        active, edits = self._live, 0
        while active.open:
            await self._news(edits)
            text = compose(active, self._worker, time.monotonic())
            status = self._values().status
            target = await self._store.part(active.key, STATUS)
            if text == said or edits >= status.max_edits or target is None or not active.open:
                continue
            if target.room_id != active.request.room_id:
                continue  # it was being sent when the room was upgraded; nobody reads it there
            if target.state is not PartState.SENT or target.event_id is None:
                if target.state in (PartState.FAILED, PartState.DROPPED):
                    return
                await asyncio.sleep(1.0)  # the status message itself is not sent yet
                active.changed.set()
                continue
            line = texts.for_whom(text, active.request.reaction, active.request.sender)
            content = await event_content.notice(line, active.key, STATUS, None)
            self._outbox.edit(active.key, STATUS_EDIT, active.request.room_id, target.event_id, content)
            said, edits = text, edits + 1

    async def _news(self, edits: int) -> None:
        """Wait for the next change, and at least for the pause between edits. Pauses grow, so that the homeserver's
        limits leave edits for the end."""
        await asyncio.sleep(self._values().status.edit_seconds * SLOWER**edits)
        # A connection lost for a while is news that comes without an event.
        await news(self._live.changed, 2 * BLINK)
        self._live.changed.clear()
