"""Contact sheets: one is made as soon as the last picture of its job is final, beside whatever is drawn next.

What is owed stands in the database, so a worker that dies before makes it after its next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from dataclasses import asdict

from ..archive import Archive, Contents, Field, Stored
from ..errors import JobFailed
from ..logs import Seldom
from ..queue.disk import passes
from ..queue.model import SHEET, ImageRow, Row, StoredJob
from ..queue.sheet_rows import SheetRows
from ..queue.store import Store
from ..schemas.base import State
from ..schemas.jobs import Sheet, SheetField, SheetPicture
from ..schemas.records import Thumbnail
from ..schemas.resolved_parts import ResolvedSheet
from .runner_common import Listener, failure
from .unbroken import unbroken

log = logging.getLogger(__name__)
_waits = Seldom(__name__, "contact sheets wait for the disk")

AGAIN_SECONDS = 15.0
"""Wait before what the disk did not take is tried again."""
ABSENCE = {State.FAILED: "failed", State.CANCELLED: "cancelled"}
"""What stands in the field of a picture that was not drawn."""


class SheetRunner:
    def __init__(self, store: Store, rows: SheetRows, archive: Archive, listener: Listener) -> None:
        self._store = store
        self._rows = rows
        self._archive = archive
        self._listener = listener

    async def run(self, changed: asyncio.Event) -> None:
        """For ever. ``changed``: set whenever a job has changed."""
        while True:
            changed.clear()
            again = None
            try:
                while owed := await self._rows.owed():
                    for job in owed:
                        await self._make(job)
            except Exception as error:
                if not passes(error):
                    raise
                _waits.warning(kind=type(error).__name__, errno=getattr(error, "errno", None))
                again = AGAIN_SECONDS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), again)
            if again is not None:
                await asyncio.sleep(1.0)

    async def _make(self, job: StoredJob) -> None:
        """Only errors of the disk itself are raised: then it is made later."""
        wanted, begun = job.pictures.sheet, time.monotonic()
        rows = (await self._store.rows([job.id]))[job.id]
        images = await self._rows.pictures(job.id)
        here = {image.idx: image for image in images if not image.is_sheet}
        before = next((image for image in images if image.is_sheet), None)
        if before is not None and (wanted is None or not here):
            await self._rows.stays(job.id)
            return
        if wanted is None or not any(row.state is State.SUCCEEDED for row in rows):
            await self._rows.none(job.id, None)
            return
        if not here:
            await self._none(job, wanted, rows, JobFailed(code="gone", message="Its pictures were deleted before."))
            return
        contents = self._contents(wanted, rows, here)
        place = self._archive.sheet_beside(here[min(here)].relpath) if before is None else before.relpath
        try:
            stored, shown = await self._archive.store_sheet(
                contents,
                place=place,
                image_id=_id_of(job),
                private=job.private,
                created_at=time.time(),
                client=job.client,
            )
        except Exception as error:
            if passes(error):
                raise
            log.exception("a contact sheet could not be made", extra={"job": job.id})
            broken = JobFailed(code="sheet_failed", message="The contact sheet could not be made.")
            await self._none(job, wanted, rows, broken)
            return
        fields = _fields(wanted, rows, shown)
        sheet = Sheet(columns=wanted.columns, fields=fields, picture=_picture(stored))
        await unbroken(self._made(job, sheet, _image_row(job, stored), stored))
        log.info("contact sheet made", extra={"job": job.id, "took": round(time.monotonic() - begun, 3)})

    async def _made(self, job: StoredJob, sheet: Sheet, image: ImageRow, stored: Stored) -> None:
        if await self._rows.made(job.id, sheet, image):
            self._listener.job_changed(job.client, job.id)
        else:
            await self._archive.delete(stored.relpath)
            await self._rows.none(job.id, None)

    async def _none(self, job: StoredJob, wanted: ResolvedSheet, rows: list[Row], why: JobFailed) -> None:
        fields = _fields(wanted, rows, (False,) * len(rows))
        await self._rows.none(job.id, Sheet(columns=wanted.columns, fields=fields, error=failure(why)))
        self._listener.job_changed(job.client, job.id)

    def _contents(self, wanted: ResolvedSheet, rows: list[Row], here: dict[int, ImageRow]) -> Contents:
        return Contents(
            columns=wanted.columns,
            fields=[self._field(wanted, row, here.get(row.idx)) for row in rows],
            column_titles=wanted.column_titles,
            row_titles=wanted.row_titles,
            titles=wanted.titles,
            caption=wanted.caption,
        )

    def _field(self, wanted: ResolvedSheet, row: Row, image: ImageRow | None) -> Field:
        name = wanted.name(row.idx)
        if image is not None:
            return Field(name=name, picture=self._archive.path(image.relpath))
        return Field(name=name, absence=ABSENCE[row.state]) if row.state in ABSENCE else Field(name=name)


def _id_of(job: StoredJob) -> str:
    """Always the same: whatever dies between its file and its row, there is one row for the file."""
    return hashlib.sha256(f"sheet/{job.id}".encode()).hexdigest()[:32]


def _fields(wanted: ResolvedSheet, rows: list[Row], shown: tuple[bool, ...]) -> list[SheetField]:
    return [
        SheetField(index=row.idx, name=wanted.name(row.idx), shown=seen) for row, seen in zip(rows, shown, strict=True)
    ]


def _picture(stored: Stored) -> SheetPicture:
    values = {name: value for name, value in asdict(stored).items() if name not in ("relpath", "thumbnail")}
    return SheetPicture(**values, thumbnail=Thumbnail(**asdict(stored.thumbnail)))


def _image_row(job: StoredJob, stored: Stored) -> ImageRow:
    return ImageRow(
        image_id=stored.image_id,
        client=job.client,
        job_id=job.id,
        idx=SHEET,
        relpath=stored.relpath,
        mimetype=stored.mimetype,
        thumbnail_type=stored.thumbnail.mimetype,
        private=job.private,
        created_at=time.time(),
        delivered_at=None,
        gone_at=None,
    )
