"""Pictures as the gallery lists them: pages, search, filters. Of encrypted rooms only what somebody keeps is there.

What it needs of a picture stands in its own row, since its job is forgotten long before it (`told`).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any, Literal

from ..schemas.records import ImageResult
from . import queries as q
from .database import Database
from .model import Fields, ImageRow

MOST_PROMPT = 4_000
"""Characters; longer ones come only from files that others have written."""
MOST_WORDS = 12
"""Words of one search."""
MOST_VALUES = 200
"""Models, people or rooms that a list to filter by holds."""
BATCH = 50

By = Literal["model", "owner", "room"]
BY: tuple[By, ...] = ("model", "owner", "room")


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a picture's row says for the gallery, beside who asked for it and where, which its job knows. ``model`` is
    empty where somebody looked and nobody knows."""

    model: str
    prompt: str
    alt: str = ""

    def values(self) -> tuple[object, ...]:
        """In the order of ``queries.TELL_IMAGE``."""
        prompt = self.prompt[:MOST_PROMPT]
        return self.model, prompt, folded(f"{prompt}\n{self.alt}")


NOTHING = Told(model="", prompt="")


def told(result: ImageResult) -> Told:
    used = result.record.used
    return Told(model=used.model, prompt=used.prompt, alt=result.alt or "")


def folded(text: str) -> str:
    """Without differences of case and of width, for search."""
    return unicodedata.normalize("NFKC", text).casefold()


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """The last picture of a page; the next page begins behind it."""

    created_at: float
    image_id: str


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """``since``, ``until``: Unix time, from and before which; ``words``: all of them are in it, anywhere."""

    words: tuple[str, ...] = ()
    model: str | None = None
    owner: str | None = None
    room: str | None = None
    since: float | None = None
    until: float | None = None

    def conditions(self) -> tuple[str, list[object]]:
        """What is added to ``queries.SHOWN_IMAGES``, and its values."""
        found: list[tuple[str, object]] = [("instr(words, ?) > 0", folded(word)) for word in self.words[:MOST_WORDS]]
        found += [(f"{name} = ?", value) for name in BY if (value := getattr(self, name)) is not None]
        found += [("created_at >= ?", self.since)] if self.since is not None else []
        found += [("created_at < ?", self.until)] if self.until is not None else []
        return "".join(f" AND {sql}" for sql, _ in found), [value for _, value in found]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture of the gallery. ``prompt`` is empty of encrypted rooms' pictures; ``model``, ``owner`` and ``room`` are
    where nobody knows them."""

    image: ImageRow
    model: str
    owner: str
    room: str
    prompt: str

    @classmethod
    def from_row(cls, row: Fields) -> Shown:
        words = {name: row[name] or "" for name in ("model", "owner", "room", "prompt")}
        return cls(image=ImageRow.from_row(row), **words)


@dataclass(frozen=True, kw_only=True)
class Untold:
    """A picture that the gallery knows nothing of yet. ``result``: of its row, where that is not forgotten."""

    image: ImageRow
    result: ImageResult | None


class Gallery:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def page(self, wanted: Wanted, after: Cursor | None, limit: int) -> list[Shown]:
        """The newest first."""
        sql, values = wanted.conditions()
        if after is not None:
            sql, values = f"{sql} AND (created_at, image_id) < (?, ?)", [*values, after.created_at, after.image_id]
        # On the connection for long scans: a search that finds nothing reads every prompt.
        rows = await self._db.scan(q.SHOWN_IMAGES.format(sql), (*values, limit))
        return [Shown.from_row(row) for row in rows]

    async def picture(self, image_id: str) -> Shown | None:
        found = await self._db.fetch_one(q.SHOWN_IMAGE, (image_id,))
        return Shown.from_row(found) if found else None

    async def neighbours(self, image: ImageRow) -> tuple[str | None, str | None]:
        """Ids of the next newer and the next older one."""
        place = (image.created_at, image.image_id)
        newer, older = [await self._db.fetch_one(sql, place) for sql in (q.NEWER_IMAGE, q.OLDER_IMAGE)]
        return (newer["image_id"] if newer else None), (older["image_id"] if older else None)

    async def values(self, by: By) -> list[tuple[str, int]]:
        """What there is to filter by, and how many pictures each has; the most frequent first."""
        rows = await self._db.scan(q.SHOWN_BY.format(by), (MOST_VALUES,))
        return [(row["value"], int(row["count"])) for row in rows]

    async def result(self, image: ImageRow) -> ImageResult | None:
        """Of its row; ``None`` where that is forgotten."""
        found = await self._db.fetch_one(q.RESULT, (image.job_id, image.idx))
        return _result(found["result"]) if found else None

    async def untold(self, after: str = "", limit: int = BATCH) -> list[Untold]:
        """Those behind the id ``after``, in the order of ids."""
        rows = await self._db.scan(q.IMAGES_UNTOLD, (after, limit))
        return [Untold(image=ImageRow.from_row(row), result=_result(row["result"])) for row in rows]

    async def tell(self, image_id: str, told: Told) -> None:
        await self._db.write(q.TELL_IMAGE, (*told.values(), image_id))


def _result(stored: Any) -> ImageResult | None:
    return ImageResult.model_validate_json(stored) if stored else None
