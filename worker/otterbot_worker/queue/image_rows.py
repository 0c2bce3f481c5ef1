"""Rows of pictures, as those who look after the archive need them."""

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
        """Whose ever it is."""
        found = await self._db.fetch_one(q.IMAGE_OF_ANY, (image_id,))
        return ImageRow(**{**dict(found), "private": bool(found["private"])}) if found else None

    async def adopt(self, file: Found) -> None:
        """A picture that says whose it is gets its row back. Its job stays forgotten."""
        assert file.owner is not None
        where = (file.owner.image_id, file.owner.client, "", 0, file.relpath)
        await self._db.write(q.ADOPT_IMAGE, (*where, "image/png", "image/jpeg", bool(file.private), file.modified))

    async def forget_private(self, relpaths: Iterable[str]) -> None:
        """Takes people's words out of the results of pictures of encrypted rooms."""
        await self._db.write(q.FORGET_RECORDS, (json.dumps(list(relpaths)),))
