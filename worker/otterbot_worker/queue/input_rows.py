"""Rows of input pictures (init images, masks, ControlNet pictures), and their retention.

A row means that the picture was checked; ``inputs.files`` has its file. It is kept while an open job needs it, and for
a while after its last use; for minutes only if from an encrypted room. Rows are deleted before files and written after
them, under one lock, so a crash leaves at most a file without a row; the start sweeps those. A client whose picture is
gone sends it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..inputs.files import InputFiles, identify
from . import queries as q
from .database import Database

PRIVATE_SECONDS = 600.0
"""Long enough for a full disk or queue between a picture's upload and its job."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """An input picture. Width and height in pixels, ``size`` in bytes, times in Unix seconds."""

    client: str
    id: str
    width: int
    height: int
    size: int
    private: bool
    used_at: float
    alpha: bool = False
    """It has transparency, which can serve as a mask."""
    animated: bool = False
    """It is animated; only the first frame is kept."""
    colours: str = ""
    """How its colour profile was treated: ``inputs.colours.Colours``."""
    wanted: bool = False
    """An open job needs it."""


@dataclass(frozen=True, kw_only=True)
class Retention:
    """Limits of age and total size; ``private_seconds``: for pictures of encrypted rooms."""

    seconds: float
    private_seconds: float
    max_bytes: int


def choose(inputs: Sequence[Input], keeping: Retention, now: float) -> list[Input]:
    """The inputs to delete; pure. ``inputs``: the longest unused first."""
    gone, left = [], sum(one.size for one in inputs)
    for one in inputs:
        seconds = min(keeping.seconds, keeping.private_seconds) if one.private else keeping.seconds
        if not one.wanted and (now - one.used_at > seconds or left > keeping.max_bytes):
            gone.append(one)
            left -= one.size
    return gone


class Inputs:
    def __init__(self, database: Database, files: InputFiles, keeping: Retention) -> None:
        self._db = database
        self._files = files
        self._keeping = keeping
        self._turn = asyncio.Lock()

    async def add(self, client: str, data: bytes, *, private: bool, now: float, owner: str | None = None) -> Input:
        """Check and store a picture; of a known one only the time of use is updated. ``owner``: as ``InputFiles.add``.

        :raises BadInput: :raises OSError:
        """
        input_id = await asyncio.to_thread(identify, data)
        async with self._turn:
            if await self.get(client, input_id) is not None:
                return _input((await self._db.write(q.TOUCH_INPUT, (now, private, client, input_id)))[0])
        # Outside the lock: a check takes seconds, and two checks of one picture end in the same file.
        checked = await self._files.add(client, data, owner=owner)
        async with self._turn:
            if not await asyncio.to_thread(self._files.has, client, input_id, alpha=checked.alpha):
                await self._files.add(client, data, owner=owner)  # pruned in between as a leftover
            values = (client, input_id, checked.width, checked.height, checked.size, private, now)
            added = await self._db.write(q.ADD_INPUT, (*values, checked.alpha, checked.animated, checked.colours))
            return _input(added[0])

    async def get(self, client: str, input_id: str) -> Input | None:
        """``None``: it was never here, or it is gone."""
        found = await self._db.fetch_one(q.INPUT, (client, input_id))
        one = None if found is None else _input(found)
        if one is None or not await asyncio.to_thread(self._files.has, client, input_id, alpha=one.alpha):
            return None
        return one

    def mask_file(self, one: Input) -> Path:
        """The file to read as a mask: the transparency of a picture that has some, else the picture itself."""
        return self._files.mask_path(one.client, one.id) if one.alpha else self._files.path(one.client, one.id)

    async def prune(self, now: float) -> int:
        """Delete inputs past their retention. Returns how many."""
        async with self._turn:
            all_of_them = [_input(row) for row in await self._db.scan(q.INPUTS)]
            count = 0
            for one in choose(all_of_them, self._keeping, now):
                # Checked again in the statement: a new job may need it by now.
                if await self._db.write(q.DROP_INPUT, (one.client, one.id, one.used_at)):
                    await asyncio.to_thread(self._files.delete, one.client, one.id)
                    count += 1
            return count

    async def sweep(self) -> int:
        """At the start: removes files without a row."""
        async with self._turn:
            known = {(row["client"], row["id"]) for row in await self._db.scan(q.INPUTS)}
            return await asyncio.to_thread(self._files.sweep, known)


def _input(row: object) -> Input:
    values = dict(row)  # type: ignore[call-overload]
    for name in ("private", "wanted", "alpha", "animated"):
        values[name] = bool(values.get(name, False))
    return Input(**values)
