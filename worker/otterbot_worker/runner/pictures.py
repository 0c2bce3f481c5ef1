"""One picture: drawn by the GPU process, then archived while the next one is already being drawn."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Sequence

from ..archive import Archive, Stored
from ..errors import CANNOT_LOOK, LANE_LACKS, Cancelled, CannotLook, JobFailed
from ..gpu.messages import Draw, Drawn
from ..gpu.process import GpuProcess, OnPreview
from ..inputs.files import InputFiles
from ..memory.oom_history import OutOfMemory
from ..models.catalogue import Catalogue
from ..models.entries import ModelEntry
from ..models.loras import Library
from ..queue.disk import UNWRITABLE, forgone, passes, surely
from ..queue.model import ImageRow, Row, StoredJob
from ..sampling import sampling_steps, tiles
from ..schemas.jobs import Failure, Progress
from ..schemas.records import Record
from ..schemas.resolved import ResolvedRequest
from . import beside, eta, needed_files, results, taking
from .countdown import Countdown
from .lease import CardTaken
from .oom_history_store import OomHistory
from .reel import Reel, reel_notes
from .runner_common import HandBack, Shared, failure, internal
from .unbroken import unbroken

log = logging.getLogger(__name__)

SAVING_AT_ONCE = 2
"""Raw pictures that may wait for the archive before drawing waits for it."""
FULL_DISK_SECONDS = 10.0
UNREAD_SECONDS = 15.0
"""Wait before a row with unreadable files is tried again."""


class PictureRunner:
    def __init__(
        self,
        shared: Shared,
        *,
        gpu: GpuProcess,
        archive: Archive,
        inputs: InputFiles,
        catalogue: Catalogue,
        library: Library,
        wake: Callable[[], None],
        broken: Callable[[BaseException], None],
        card: str = "",
    ) -> None:
        """``card``: its name, but for the first one. ``wake``: called when a row went back to the queue; ``broken``:
        called with an error that ends the worker."""
        self._stopping = False
        self._store = shared.store
        self._card = shared.card
        self._live = shared.live
        self._speeds = shared.speeds
        self._listener = shared.listener
        self._measures = shared.measures
        self._gpu = gpu
        self._archive = archive
        self._inputs = inputs
        self._catalogue = catalogue
        self._library = library
        self._wake = wake
        self._broken = broken
        self._oom_history = OomHistory(shared.store, card)
        self._slots = asyncio.Semaphore(SAVING_AT_ONCE)
        self._saving: set[asyncio.Task[None]] = set()
        self._taking = taking.Taking(shared.card)
        self._unwritable = (0, float("-inf"))
        """The disk's last errno, and until when nothing is drawn because of it."""

    async def run(self, row: Row, job: StoredJob, interrupted: Callable[[], bool]) -> None:
        """Draws a claimed row; returns when its pixels are on their way to the archive.

        :raises JobFailed: :raises Cancelled: :raises ProcessDied: :raises HandBack:
        """
        self._check_disk()
        try:
            needed = await asyncio.to_thread(needed_files.find, row, job, self._catalogue, self._library, self._inputs)
        except CannotLook as error:
            raise HandBack(error.sentence, UNREAD_SECONDS, alone=True) from None
        countdown = self._countdown(row, job.pictures.picture(row.idx))
        report = self._reporter(row, countdown)
        report(Progress(phase="starting"))
        company = await self._taking.take(row.model)
        oom_history, peaks = await self._oom_history.of(row.model), await self._card.peaks(row.model)
        await self._slots.acquire()
        output = self._archive.scratch(row.task_id)
        task = needed_files.task(row, job, needed, output=output, oom_history=oom_history, peaks=peaks)
        reel = Reel()
        preview = self._previewer(row, reel, live=task.preview) if task.preview or task.film else None
        try:
            if interrupted():
                raise Cancelled
            drawn = await beside.draw(
                self._card, task, company, lambda task: self._draw(task, report, preview), interrupted
            )
        except CardTaken as error:
            self._slots.release()
            raise HandBack(str(error), taking.TAKEN_SECONDS, card=True) from None
        except BaseException:
            self._slots.release()
            with contextlib.suppress(OSError):
                task.output.unlink(missing_ok=True)
            raise
        steps = tiles.steps(task)
        report(Progress(phase="saving", step=steps, steps=steps))
        saved = self._save(row, job, drawn, countdown, needed.entry, reel)
        saving = asyncio.create_task(saved, name=f"save {row.task_id}")
        self._saving.add(saving)
        saving.add_done_callback(self._saved)

    def _ended(self) -> bool:
        return self._stopping

    async def drain(self) -> None:
        """Waits until everything drawn is archived. What the disk does not take now is drawn again after the start."""
        self._stopping = True
        while self._saving:
            await asyncio.wait(self._saving)

    async def _draw(self, task: Draw, report: Callable[[Progress], None], preview: OnPreview | None) -> Drawn:
        try:
            return await (
                self._gpu.draw(task, report, preview) if preview is not None else self._gpu.draw(task, report)
            )
        except JobFailed as error:
            await self._ran_out(task.model, error.ooms)
            if error.code == LANE_LACKS:
                raise HandBack(error.message, 0.0, lacks=True) from None
            if error.code == CANNOT_LOOK:
                raise HandBack(error.message, UNREAD_SECONDS, alone=True) from None
            if isinstance(number := error.details.get("errno"), int) and number in UNWRITABLE:
                self._disk_failed(number)
                self._check_disk()
            raise

    def _disk_failed(self, number: int) -> None:
        self._unwritable = number, time.monotonic() + FULL_DISK_SECONDS

    def _check_disk(self) -> None:
        """:raises HandBack: the disk refused a write a moment ago"""
        number, until = self._unwritable
        if (wait := until - time.monotonic()) > 0:
            reason = f"Pictures cannot be written to the disk ({os.strerror(number)}), so they wait."
            raise HandBack(reason, wait)

    def _countdown(self, row: Row, picture: ResolvedRequest) -> Countdown:
        finish = self._speeds.get(eta.finish_name(row.model))
        return Countdown(
            work=row.work,
            pipeline=self._speeds.row_seconds("image", row.model, row.work),
            runs=tiles.runs(picture),
            finish=None if finish is None else finish * _decoded(picture),
            load=0.0 if self._card.resident == row.model else self._speeds.load_seconds(row.model),
        )

    def _reporter(self, row: Row, countdown: Countdown) -> Callable[[Progress], None]:
        def report(progress: Progress) -> None:
            left = countdown.left(progress)
            if countdown.speed is not None:
                self._speeds.guess(eta.speed_name(row.model), countdown.speed)
            left = None if left is None else round(left, 1)
            seen = self._live.previews(row.job_id, row.idx)
            shown = progress.model_copy(update={"attempt": row.attempt, "eta_s": left, "preview": seen})
            self._live.put(row.job_id, row.idx, shown)
            self._listener.progressed(row.client, row.job_id, row.idx, shown)

        return report

    def _previewer(self, row: Row, reel: Reel, *, live: bool) -> OnPreview:
        """The callback for previews: keeps those of a film; with ``live`` stores each, and reports progress with the
        new number of previews."""

        def show(jpeg: bytes, frame: int) -> None:
            reel.add(jpeg, frame)
            if not live:
                return
            self._live.put_preview(row.job_id, row.idx, jpeg)
            if (progress := self._live.get(row.job_id, row.idx)) is not None:
                shown = progress.model_copy(update={"preview": self._live.previews(row.job_id, row.idx)})
                self._live.put(row.job_id, row.idx, shown)
                self._listener.progressed(row.client, row.job_id, row.idx, shown)

        return show

    # ------------------------------------------------------------ afterwards

    def _saved(self, task: asyncio.Task[None]) -> None:
        self._saving.discard(task)
        self._slots.release()
        if task.cancelled() or (error := task.exception()) is None:
            return
        if self._stopping and passes(error):
            log.warning("a drawn picture could not be kept at the end; it is drawn again after the next start")
            return
        self._broken(error)

    async def _save(
        self, row: Row, job: StoredJob, drawn: Drawn, countdown: Countdown, entry: ModelEntry, reel: Reel
    ) -> None:
        """Archive a drawn picture and finish its row. Only database errors are raised."""
        now, picture = time.time(), job.pictures.picture(row.idx)
        record = results.record(row, job, drawn, took=now - (row.claimed_at or now))
        try:
            stored = await self._archive.store(
                scratch=self._archive.scratch(row.task_id),
                width=drawn.width,
                height=drawn.height,
                record=record,
                theme=picture.theme,
                private=job.private,
                created_at=now,
                client=job.client,
                frames=reel.frames(picture),
            )
        except JobFailed as error:
            await self._fail(row, failure(error))
        except OSError as error:
            log.exception("a picture could not be archived", extra={"job": row.job_id, "errno": error.errno})
            if error.errno in UNWRITABLE:
                self._disk_failed(error.errno)
                await surely(lambda: self._store.give_back(row), ended=self._ended)
                self._wake()
            else:
                await self._fail(row, internal("image"))
        except Exception:
            log.exception("a picture could not be archived", extra={"job": row.job_id})
            await self._fail(row, internal("image"))
        else:
            image = results.image_row(row, job, stored, now)
            await unbroken(self._succeed(row, picture, drawn, image, stored, record, entry))
            if countdown.finish_seconds is not None:
                await self._measure(eta.finish_name(row.model), countdown.finish_seconds / _decoded(picture))
        self._live.forget(row.job_id, row.idx)
        self._listener.job_changed(row.client, row.job_id)
        self._listener.queue_moved()

    async def _fail(self, row: Row, error: Failure) -> None:
        if await surely(lambda: self._store.fail(row, error, time.time()), ended=self._ended):
            self._measures.finished.labels("image", "failed").inc()

    async def _succeed(
        self,
        row: Row,
        picture: ResolvedRequest,
        drawn: Drawn,
        image: ImageRow,
        stored: Stored,
        record: Record,
        entry: ModelEntry,
    ) -> None:
        notes = [
            *picture.notes,
            *sampling_steps.notes(picture, entry.limits.size_multiple),
            *drawn.notes,
        ]
        if picture.film and stored.film is None:
            notes += reel_notes(notes)
        result = results.image_result(stored, record, notes, drawn.alt)
        if not await surely(lambda: self._store.succeed(row, result, image, time.time()), ended=self._ended):
            await self._archive.delete(stored.relpath)
            return
        log.info(
            "picture drawn",
            extra={
                "job": row.job_id,
                "picture": row.idx,
                "took": record.took,
                "pipeline": drawn.pipeline_seconds,
                "plan": drawn.plan,
            },
        )
        self._measures.finished.labels("image", "succeeded").inc()
        self._measures.picture_seconds.labels(row.model).observe(record.took)
        self._measures.pipeline_seconds.labels(row.model).observe(drawn.pipeline_seconds)
        self._measures.megapixel_steps.labels(row.model).inc(row.work)
        if drawn.pipeline_seconds > 0:
            await self._measure(eta.speed_name(row.model), row.work / drawn.pipeline_seconds)
        if drawn.load_seconds > 0:
            self._measures.load_seconds.labels(row.model).observe(drawn.load_seconds)
            await self._measure(eta.load_name(row.model), drawn.load_seconds)
        await self._ran_out(row.model, drawn.ooms)

    async def _ran_out(self, model: str, ooms: Sequence[OutOfMemory]) -> None:
        for one in ooms:
            self._measures.out_of_memory.labels(model, one.plan).inc()
        await self._oom_history.add(model, ooms)

    async def _measure(self, name: str, value: float) -> None:
        with forgone():
            await self._store.set_speed(self._speeds.key(name), *self._speeds.add(name, value))


def _decoded(picture: ResolvedRequest) -> float:
    """Megapixels decoded after the last step; 0 with tiles, which are decoded in between."""
    width, height = tiles.final(picture)
    return 0.0 if tiles.in_tiles(picture) else float(width * height / 1e6)
