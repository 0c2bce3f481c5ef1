"""Rows of pictures for the archive's housekeeping."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ..archive.pictures import PNG, THUMBNAIL_TYPE
from ..archive.retention import Found
from . import queries as q
from .database import Database, fetch_one
from .model import SHEET, ImageRow


class ImageRows:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def of(self, image_id: str) -> ImageRow | None:
        """The row of a picture of any client."""
        found = await self._db.fetch_one(q.IMAGE_OF_ANY, (image_id,))
        return ImageRow.from_row(found) if found else None

    async def adopt(self, file: Found) -> None:
        """Restore the row of a picture whose sidecar names an owner. Its job stays forgotten."""
        assert file.owner is not None
        row = ImageRow(
            image_id=file.owner.image_id,
            client=file.owner.client,
            job_id="",
            idx=SHEET if file.mimetype != PNG else 0,
            relpath=file.relpath,
            mimetype=file.mimetype,
            thumbnail_type=THUMBNAIL_TYPE,
            private=bool(file.private),
            created_at=file.modified,
            delivered_at=None,
            gone_at=None,
        )
        await self._db.write(q.ADOPT_IMAGE, row.values())
        if file.kept:
            await self._db.write(q.IMAGE_KEPT, (1, row.image_id))

    async def given_up(self, image_id: str, key: str) -> bool:
        """The job with that key does not use the picture any more. True: nobody does, so that its file may go.

        A key that is not one of those who have it from another job is taken for that of the job it was drawn for, which
        may be forgotten by now.
        """
        async with self._db.transaction() as connection:
            if await fetch_one(connection, q.UNUSE_IMAGE, (image_id, key)) is None:
                await connection.execute(q.RELEASE_IMAGE, (image_id,))
            return await fetch_one(connection, q.IMAGE_IN_USE, (image_id,)) is None

    async def forget_private(self, relpaths: Iterable[str]) -> None:
        """Remove prompts from the results of encrypted rooms' pictures and sheets."""
        gone = json.dumps(list(relpaths))
        await self._db.write(q.FORGET_RECORDS, (gone,))
        await self._db.write(q.FORGET_SHEETS, (gone,))
