"""Contact sheets of jobs: owed until they are made, and what becomes of the pictures on them."""

from __future__ import annotations

from ..schemas.jobs import Sheet
from . import queries as q
from .database import Database, fetch_one
from .model import CHOOSING_SECONDS, ImageRow, StoredJob


class SheetRows:
    """Times are Unix seconds."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def owed(self) -> list[StoredJob]:
        """Jobs whose pictures are final, and whose sheet is not made; some of them, the oldest first."""
        return [StoredJob.from_row(found) for found in await self._db.fetch(q.SHEETS_OWED)]

    async def pictures(self, job_id: str) -> list[ImageRow]:
        """Those of a job that are here, the sheet among them (`ImageRow.is_sheet`)."""
        return [ImageRow.from_row(found) for found in await self._db.fetch(q.IMAGES_OF_JOB, (job_id,))]

    async def made(self, job_id: str, sheet: Sheet, image: ImageRow) -> bool:
        """``False``: another one was made, or it, or all pictures on it, were deleted meanwhile."""
        async with self._db.transaction() as connection:
            done = await fetch_one(connection, q.SHEET_MADE, (sheet.model_dump_json(), job_id))
            if done is not None:
                await connection.execute(q.INSERT_SHEET, image.values())
            return done is not None

    async def stale(self, job_id: str) -> None:
        """A picture on the sheet was deleted: it is made again without it, if it is here."""
        await self._db.write(q.SHEET_STALE, (job_id,))

    async def stays(self, job_id: str) -> None:
        """It is not made again after all: nothing is left to be on it."""
        await self._db.write(q.SHEET_STAYS, (job_id,))

    async def none(self, job_id: str, why: Sheet | None) -> None:
        """There will be no sheet. ``why``: with an error; ``None`` where no picture was drawn."""
        await self._db.write(q.NO_SHEET, (None if why is None else why.model_dump_json(), job_id))

    async def delivered(self, job_id: str, now: float) -> None:
        """The sheet stands in its room, and so all that is on it."""
        await self._db.write(q.SHEET_DELIVERED, (now, now + CHOOSING_SECONDS, job_id))

    async def chosen_from(self, now: float) -> list[ImageRow]:
        """Pictures of encrypted rooms that are here although the time for choosing from their sheet is over."""
        return [ImageRow.from_row(found) for found in await self._db.fetch(q.IMAGES_CHOSEN_FROM, (now,))]
