"""Rows of pictures for the archive's housekeeping."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ..archive.retention import Found
from . import queries as q
from .database import Database
from .model import ImageRow


class ImageRows:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def of(self, image_id: str) -> ImageRow | None:
        """The row of a picture of any client."""
        found = await self._db.fetch_one(q.IMAGE_OF_ANY, (image_id,))
        return ImageRow(**{**dict(found), "private": bool(found["private"])}) if found else None

    async def adopt(self, file: Found) -> None:
        """Restore the row of a picture whose sidecar names an owner. Its job stays forgotten."""
        assert file.owner is not None
        where = (file.owner.image_id, file.owner.client, "", 0, file.relpath)
        await self._db.write(q.ADOPT_IMAGE, (*where, "image/png", "image/jpeg", bool(file.private), file.modified))

    async def forget_private(self, relpaths: Iterable[str]) -> None:
        """Remove prompts from the results of encrypted rooms' pictures."""
        await self._db.write(q.FORGET_RECORDS, (json.dumps(list(relpaths)),))
