"""Requests for pictures: each is delivered when it is done, the request when all of them are."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import replace
from typing import Any

from .. import texts
from ..config import Values
from ..errors import WorkerForeign, WorkerRefused
from ..matrix import event_content
from ..matrix.encryption import Encryption
from ..matrix.http import MatrixHttp
from ..outbox.queue import Outbox
from ..store.part_names import FINAL, SHEET, PartName
from ..store.rows import Part, PartState, Rank, Request
from ..store.store import Store
from ..worker.client import WorkerClient
from ..worker.info import STRUCTURES
from ..worker.job_events import ChatEvent
from ..worker.jobs import ImageResult, Job
from . import films, older_workers, refusal_words, sheets, watching
from .active import ActiveRequest, CannotAsk, RequestEnd
from .following import follows
from .image_event import models_own, picture_content, with_files
from .input_images import DESCRIBES, Starts

SUCCEEDED = "succeeded"
SPOILED_PATIENCE = 900.0
"""Seconds for which a damaged picture is fetched again."""
NEWER = {"preview": watching.FEATURE, STRUCTURES: STRUCTURES, "card": "card", "describe": DESCRIBES}
"""Fields that an older worker refuses and a picture does without, and by which feature they are known."""
OVER = (PartState.SENT, PartState.FAILED, PartState.DROPPED)


class Pictures:
    """The kind ``image`` of :class:`~.active.Kind`, and the builder of parts ``picture/k`` and ``sheet``."""

    own_status = False

    def __init__(
        self,
        store: Store,
        worker: WorkerClient,
        outbox: Outbox,
        http: MatrixHttp,
        encryption: Encryption,
        starts: Starts,
        *,
        values: Callable[[], Values],
        offered: Callable[[str], Awaitable[Sequence[str]]],
    ) -> None:
        """``offered``: the reactions to put under the pictures of a room."""
        self._store = store
        self._worker = worker
        self._outbox = outbox
        self._http = http
        self._encryption = encryption
        self._values = values
        self._offered = offered
        self._starts = starts
        self._sheets = sheets.Sheets(store, worker, outbox, http, encryption, prefix=lambda: values().prefix)
        self._results: dict[tuple[str, str], ImageResult] = {}
        """Results from the worker, kept until the request ends."""
        self._spoiled_since: dict[str, float] = {}
        """Picture → since when it arrives damaged (``time.monotonic()``)."""
        self.films = films.Films(store, worker, outbox, http, encryption, self._result)
        self.watching = watching.Watching(store, worker, outbox, http, encryption, values)
        self._taught: dict[str, str] = {}
        """Room → the request whose picture gets the hint for beginners; in memory only."""

    def begin(self, active: ActiveRequest) -> None:
        """Delivery says how it stands; this shows it."""
        self.watching.begin(active)

    async def body(self, active: ActiveRequest) -> dict[str, Any] | None:
        body = await self._starts.body(active.request)
        if body is None:
            return None
        body = await self._sheets.body(active, body)
        asked_now = any(body.get(name) for name in ("film", *NEWER))
        if not asked_now and not any(body.get(name) for name in older_workers.NEW):
            return body
        # Layers come with nearly every request, and a chat backend that hangs holds the worker's answer back.
        known = (await self._worker.info(0.0 if asked_now else sheets.INFO_SECONDS)).features
        if body.get("film") and films.FEATURE not in known:
            raise CannotAsk(f"❌ {texts.FILM_OLD_WORKER}")
        if body.get("preview") and watching.FEATURE not in known and active.request.asked.get("watch") is True:
            await self._sheets.note(active, texts.WATCH_OLD_WORKER)
        if body.get("describe") and DESCRIBES not in known:
            await self._sheets.note(active, texts.DESCRIBE_OLD_WORKER)
        if older_workers.FEATURE not in known:
            body, notes = older_workers.without_layers(body)
            for note in notes:
                await self._sheets.note(active, note)
        return {name: value for name, value in body.items() if NEWER.get(name) is None or NEWER[name] in known}

    def mend(self, active: ActiveRequest, refusal: WorkerRefused) -> bool:
        return refusal.code == "input_gone" and self._starts.gone(active.request)

    async def refused(self, active: ActiveRequest, refusal: WorkerRefused) -> str:
        return await refusal_words.of_picture(refusal, active.request, self._worker, self._values().prefix)

    async def on_chat(self, active: ActiveRequest, event: ChatEvent) -> None:
        """Pictures do not talk."""

    async def on_job(self, active: ActiveRequest) -> RequestEnd | None:
        job = active.job
        if job is None:
            return None
        await self._prompt_written(active, job)
        made = sum(picture.state == SUCCEEDED for picture in job.pictures)
        if made > active.made:
            await self._store.set_made(active.key, made)
            active.made = made
        elif job.final and job.state != "cancelled" and watching.is_watched(active):
            await self._store.set_made_back(active.key, made)  # what was shown has failed
        standing = await self._store.parts_of(active.key)
        if made and sheets.wanted(active.request, standing):
            if not job.final:
                return None
            if await self._sheets.post(active, job, standing):
                return await self._ending(active, job, [SHEET])
        for picture in job.pictures:
            if picture.state == SUCCEEDED and picture.result is not None:
                await self._deliver(active.request, picture.index, picture.result, standing)
        await self.films.post(active.request, job, standing)
        drawn = [PartName.picture(picture.index) for picture in job.pictures if picture.state == SUCCEEDED]
        return await self._ending(active, job, drawn) if job.final else None

    async def _prompt_written(self, active: ActiveRequest, job: Job) -> None:
        """From here on the same prompts are drawn, also by a worker that has forgotten this."""
        before, now = active.request.resolved, job.resolved
        if before is None or now is None or before.get("expand") is not True or now.get("expand") is True:
            return
        if await self._store.set_resolved(active.key, now):
            active.request = replace(active.request, resolved=now)

    async def _deliver(self, request: Request, index: int, result: ImageResult, standing: dict[PartName, Part]) -> None:
        name = PartName.picture(index)
        part = standing.get(name)
        if part is not None and part.state in OVER:
            return
        self._results[request.key, name] = result
        if part is None:
            await self._outbox.post(
                Part(key=request.key, part=name, room_id=request.room_id, rank=Rank.RESULT, image_id=result.image_id)
            )
        elif part.image_id != result.image_id:
            await self._store.new_image(request.key, name, result.image_id)
            self._outbox.rebuild(request.key, name, result.image_id)
        else:
            self._outbox.rebuild(request.key, name)

    async def _ending(self, active: ActiveRequest, job: Job, expected: Sequence[PartName]) -> RequestEnd | None:
        """The request's ending; ``None`` while the parts with its pictures are still being sent."""
        standing = await self._store.parts_of(active.key)
        states = {name: standing[name].state for name in expected if name in standing}
        if any(name not in states or states[name] not in OVER for name in expected) or films.are_owed(job, standing):
            return None
        follow = follows(active.request, standing, self._store.clock.now())
        whole = all(picture.state == SUCCEEDED for picture in job.pictures)
        if whole and all(state is PartState.SENT for state in states.values()):
            return RequestEnd(outcome=SUCCEEDED, well=True, line=texts.done_line(job), follow=follow)
        cancelled = job.state == "cancelled"
        reasons = active.reasons | {part.reason for name, part in standing.items() if not name.is_forgone}
        line = _why(job, reasons)
        content = await event_content.notice(line, active.key, FINAL, active.request)
        final = Part(key=active.key, part=FINAL, room_id=active.request.room_id, rank=Rank.REFUSAL, content=content)
        parts = [] if "cannot_encrypt" in reasons else [final]  # the sentence about encryption is already stored
        outcome = "cancelled" if cancelled else "failed"
        return RequestEnd(outcome=outcome, well=False, line=line, parts=parts, follow=None if cancelled else follow)

    async def ended(self, active: ActiveRequest, ending: RequestEnd) -> None:
        for place in [place for place in self._results if place[0] == active.key]:
            self._spoiled_since.pop(self._results.pop(place).image_id, None)
        if (sheet := self._sheets.forget(active.key)) is not None:
            self._spoiled_since.pop(sheet, None)
        self._starts.forget(active.key)
        self.watching.ended(active)
        await self._offer(active)

    async def _offer(self, active: ActiveRequest) -> None:
        """Reactions under what stands in the room, after all else that is said of the request."""
        standing = await self._store.parts_of(active.key)
        for name, part in sorted(standing.items()):
            if not name.shows or part.state is not PartState.SENT or name.unsend() in standing:
                continue
            chosen = await self._offered(part.room_id)
            if name == SHEET:
                chosen = sheets.offered(chosen, active.job)
            self._outbox.offer(part, chosen)

    async def build(self, part: Part) -> dict[str, Any]:
        """The content of ``picture/k``, or of ``sheet``."""
        request = await self._store.request(part.key)
        if request is None or not request.open:
            raise WorkerRefused(410, "not_found")
        first = await self._store.last_picture(part.room_id) is None
        # Two first requests of a room may be open at the same time.
        first = first and self._taught.setdefault(part.room_id, part.key) == part.key
        hint = texts.first_picture_hint(self._values().prefix) if first else None
        try:
            if part.part == SHEET:
                return await self._sheets.build(request, part, hint)
            result = await self._result(request, part.part)
            own = await models_own(self._worker, result)
            content = await picture_content(request, part, result, hint, own)
            return await with_files(self._worker, self._http, self._encryption, request, part, result, content)
        except WorkerForeign:
            self._spoiled(part.image_id or "")
            raise

    def _spoiled(self, image_id: str) -> None:
        """The fetched bytes are not the picture, most likely because of a proxy. Raises "gone" where this lasts so long
        that the worker's file must be damaged."""
        now = time.monotonic()
        self._worker.spoiled_at = now
        if now - self._spoiled_since.setdefault(image_id, now) > SPOILED_PATIENCE:
            raise WorkerRefused(410, "image_gone") from None

    async def _result(self, request: Request, name: PartName) -> ImageResult:
        """Of a picture; the worker is asked where it is not known: after a restart only the part is in the database."""
        if (known := self._results.get((request.key, name))) is not None:
            return known
        if request.job_id is None:
            raise WorkerRefused(404, "not_found")
        for picture in (await self._worker.job(request.job_id)).pictures:
            if picture.index == name.number and picture.result is not None:
                self._results[request.key, name] = picture.result
                return picture.result
        raise WorkerRefused(404, "not_found")


def _why(job: Job, reasons: Set[str | None]) -> str:
    """The sentence on why not all pictures were posted. ``reasons`` are those of
    :class:`~..outbox.listeners.PartListener`."""
    if job.state in ("failed", "cancelled") or any(picture.error is not None for picture in job.pictures):
        return texts.done_line(job)
    if "too_large" in reasons:
        return texts.TOO_LARGE_TO_POST
    if "upload_refused" in reasons:
        return texts.UPLOAD_REFUSED
    if reasons & {"gone", "missing"}:
        return texts.PICTURE_GONE
    return texts.NOT_POSTED
