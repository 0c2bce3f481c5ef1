"""Pictures that are shown while they are drawn: one message that grows by a few edits, and goes at the end.

Parts of a request::

    preview/0        what is drawn now, once that takes long enough to be worth it
    preview/1 … n    its edits; one that still waits when a newer one is due is dropped
    unsend/preview/k their redactions, stored with the end of the request (:mod:`.completion`)

They are built from what the worker shows at that moment, and never stored; each event is, so that all of them can be
taken back, after any restart. Nothing waits for them: they are the least but offers, and what fails is dropped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import texts
from ..config import Values
from ..errors import OtterbotError, WorkerRefused
from ..matrix import event_content
from ..matrix.encryption import Encryption
from ..matrix.http import MatrixHttp
from ..outbox.queue import Outbox
from ..store.part_names import PartName
from ..store.rows import Kind, Part, PartState, Rank
from ..store.store import Store
from ..waiting import news
from ..worker.client import WorkerClient
from .active import ActiveRequest
from .image_check import sniff
from .image_event import is_encrypted, upload

FEATURE = "previews"
"""Of a worker that has them; an older one refuses to be asked for them."""
WORTH = 4.0
"""Seconds that a picture has to take yet for it to be shown."""
PAUSE, SLOWER = 2.0, 1.6
"""The pause before the first edit, in pauses of status lines, and by what each further one is longer: two edits in half
a minute, four in two."""
MOST_EDITS = 6
UNSENT = 1.0
"""Seconds after which a message that waits for the homeserver is looked at again."""
QUIET = 10.0
"""Seconds after which the request is looked at without news."""
PATIENCE = 15.0
"""Seconds for fetching and uploading one."""
MOST_BYTES = 512 * 1024
FILENAME = "preview.jpg"
MESSAGE = PartName.preview(0)
SIDES = {"w": "width", "h": "height"}
"""In the event, and in a resolved request. A client shows it as large as its picture."""
GONE = (PartState.FAILED, PartState.DROPPED)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The picture that is drawn now."""

    job_id: str
    index: int
    attempt: int
    number: int
    """Of its preview."""
    worth: bool
    """It takes long enough."""

    @property
    def place(self) -> tuple[int, int, int]:
        return self.index, self.attempt, self.number


def seen_now(active: ActiveRequest, now: float) -> Seen | None:
    """``now``: ``time.monotonic()``. ``None``: nothing is drawn that can be seen."""
    job = active.job
    for picture in job.pictures if job is not None else ():
        progress = picture.progress
        if job is None or progress is None or picture.state != "running" or not progress.preview:
            continue
        if progress.eta_s is None:
            worth = 2 * progress.step < progress.steps  # nobody knows how fast it is
        else:
            worth = progress.eta_s - (now - active.heard_at) >= WORTH
        return Seen(job_id=job.id, index=picture.index, attempt=progress.attempt, number=progress.preview, worth=worth)
    return None


class Watching:
    """One per plugin instance; a task for each watched request, and the builder of their parts."""

    def __init__(
        self,
        store: Store,
        worker: WorkerClient,
        outbox: Outbox,
        http: MatrixHttp,
        encryption: Encryption,
        values: Callable[[], Values],
    ) -> None:
        self._store = store
        self._worker = worker
        self._outbox = outbox
        self._http = http
        self._encryption = encryption
        self._values = values
        self._watched: dict[str, ActiveRequest] = {}

    def begin(self, active: ActiveRequest) -> None:
        if is_watched(active):
            self._watched[active.key] = active
            active.spawn(asyncio.create_task(self._watch(active), name="otterbot watch"))

    def ended(self, active: ActiveRequest) -> None:
        self._watched.pop(active.key, None)

    async def _watch(self, active: ActiveRequest) -> None:
        """Until the request ends, which cancels it, or what is shown stands in a room that was upgraded."""
        shown: tuple[int, int, int] | None = None
        edits = 0
        while active.open and not active.request.moved:
            await news(active.previewed, QUIET)
            active.previewed.clear()
            seen = seen_now(active, time.monotonic())
            if seen is None or not seen.worth or seen.place == shown:
                continue
            standing = await self._store.parts_of(active.key)
            if (part := _next(active, standing)) is None:
                return
            if await self._in_the_way(standing, part):
                await asyncio.sleep(UNSENT)
                active.previewed.set()
                continue
            async with active.saying:
                if _over(active) or not await self._outbox.post(part):
                    return
            await self._counts(active)
            shown = seen.place
            await asyncio.sleep(PAUSE * self._values().status.edit_seconds * SLOWER**edits)
            edits += 1

    async def _counts(self, active: ActiveRequest) -> None:
        """What was shown counts as made, also where somebody cancels it before the end."""
        made = 1 + sum(picture.state == "succeeded" for picture in (active.job.pictures if active.job else ()))
        if made > active.made:
            await self._store.set_made(active.key, made)
            active.made = made

    async def _in_the_way(self, standing: Mapping[PartName, Part], part: Part) -> bool:
        """Whether the homeserver has not got what comes before that part. An edit that only waits is dropped for it."""
        if part.part == MESSAGE:
            return False
        message, last = standing[MESSAGE], standing[PartName.preview(part.part.number - 1)]
        if message.state is not PartState.SENT:
            return True
        return last.state in (PartState.READY, PartState.SENDING) and not await self._outbox.withdraw(*last.id)

    async def build(self, part: Part) -> dict[str, Any]:
        """The content of ``preview/k``; whatever is in the way, it is dropped."""
        active = self._watched.get(part.key)
        seen = None if active is None else seen_now(active, time.monotonic())
        if active is None or seen is None:
            raise WorkerRefused(404, "no_preview")
        try:
            async with asyncio.timeout(PATIENCE):
                content = await self._content(active, seen, part)
        except (OtterbotError, TimeoutError):
            raise WorkerRefused(404, "no_preview") from None
        return content if part.part == MESSAGE else {"of": MESSAGE, "content": content}

    async def _content(self, active: ActiveRequest, seen: Seen, part: Part) -> dict[str, Any]:
        encrypted = await is_encrypted(self._encryption, active.request, part.room_id)
        data = await self._worker.preview(seen.job_id, seen.index)
        if len(data) > MOST_BYTES or (mimetype := sniff(data)) != "image/jpeg":
            raise WorkerRefused(404, "no_preview")
        resolved = active.request.resolved or {}
        size = {at: resolved[name] for at, name in SIDES.items() if isinstance(resolved.get(name), int)}
        content: dict[str, Any] = {
            "msgtype": "m.image",
            "body": texts.PREVIEW,
            "filename": FILENAME,
            "info": {**size, "size": len(data), "mimetype": mimetype},
            "m.mentions": {},
            event_content.OUR_KEY: event_content.ours(part.key, part.part, preview=True),
        }
        (await upload(self._http, data, mimetype, encrypted=encrypted)).into(content)
        return content if part.part != MESSAGE else {**content, **event_content.related(active.request)}


def is_watched(active: ActiveRequest) -> bool:
    return (active.request.body or {}).get("preview") is True


def _over(active: ActiveRequest) -> bool:
    return active.ending or not active.open


def _next(active: ActiveRequest, standing: Mapping[PartName, Part]) -> Part | None:
    """What is to be shown next: the message, or one more edit of it; ``None``: no more."""
    number = 1 + max((name.number for name in standing if name.is_preview), default=-1)
    if number > MOST_EDITS or (number and standing[MESSAGE].state in GONE):
        return None
    return Part(
        key=active.key,
        part=PartName.preview(number),
        room_id=active.request.room_id,
        kind=Kind.EDIT if number else Kind.MESSAGE,
        rank=Rank.PREVIEW,
    )
