"""`Archive`: pictures on disk, by date.

```
ROOT/2024-01-21/otter_20240121132050.png          the picture, with its record in it
                otter_20240121132050.yml          the same for people
                otter_20240121132050.thumb.jpg    what clients show first
                otter_20240121132050.film.webp    how it was drawn, where somebody asked for that
                otter_20240121132050.sheet.jpg    a contact sheet, named by its first picture; with both as well
ROOT/.scratch/TASK.rgb                            raw pixels on their way from the GPU process
```

Everything slow happens in one thread of the archive's own, so that a picture is encoded while the next is drawn;
`writing` says how it is written.
"""

from __future__ import annotations

import asyncio
import errno
import shutil
import time
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, TypeVar

from .. import privacy, space
from ..schemas.records import Record
from . import films, names, retention, sheets, writing
from .stored import Stored

T = TypeVar("T")

GIGABYTE = space.GIGABYTE


@dataclass(frozen=True, kw_only=True)
class ArchiveSettings:
    """``archive`` of the worker's configuration; ``None`` is "no limit"."""

    keep_days: float | None = None
    max_gb: float | None = None
    min_free_gb: float = 2.0
    encrypted_rooms: Literal["keep", "until_delivered"] = "until_delivered"
    data_dir: Path | None = None
    """The folder of the queue's database, which needs free space as well."""


class Archive:
    """One folder of pictures, written by one worker.

    Errors of the file system (a full disk among them) leave as `OSError`; nothing half-written stays behind then.
    """

    def __init__(self, root: Path, settings: ArchiveSettings) -> None:
        self.root = root
        self.settings = settings
        self._scratch = root / ".scratch"
        if not root.exists():
            # 0700: on a shared machine other users must not see pictures of private rooms.
            root.mkdir(mode=0o700, parents=True)
        self._scratch.mkdir(mode=0o700, exist_ok=True)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="archive")
        self._given: deque[Path] = deque(maxlen=1_000)

    def close(self) -> None:
        """Waits for the picture being written."""
        self._thread.shutdown(wait=True)

    # ------------------------------------------------------------ where things lie

    def scratch(self, task_id: str) -> Path:
        """Where the GPU process writes a task's raw RGB."""
        return self._scratch / names.scratch_name(task_id)

    def path(self, relpath: str) -> Path:
        """The PNG. Raises `ValueError` for a path that leaves the archive."""
        parts = PurePosixPath(relpath).parts
        if len(parts) != 2 or relpath.startswith("/") or any(part.startswith(".") for part in parts):
            raise ValueError("not a path of the archive")
        return self.root.joinpath(*parts)

    def is_here(self) -> bool:
        """Whether the archive is there at all. While its disk is missing, a missing file does not mean a deleted
        picture."""
        return self._scratch.is_dir()

    def sidecar(self, relpath: str) -> Path:
        return retention.sidecar_of(self.path(relpath))

    def thumbnail(self, relpath: str) -> Path:
        return retention.thumbnail_of(self.path(relpath))

    def film(self, relpath: str) -> Path:
        return retention.film_of(self.path(relpath))

    def sheet_beside(self, relpath: str) -> str:
        """The relpath of the contact sheet that begins with that picture."""
        target = retention.sheet_of(self.path(relpath))
        return f"{target.parent.name}/{target.name}"

    # ------------------------------------------------------------ room on the disk

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.root).free

    def no_room(self) -> str | None:
        """Why nothing can be drawn now, as a sentence; ``None``: the disk has room."""
        return space.problem(space.places(self.root, self.settings.data_dir or self.root, self.settings.min_free_gb))

    def has_room(self) -> bool:
        """Whether the disk is above the floor of free space; below it new jobs are refused."""
        return self.no_room() is None

    # ------------------------------------------------------------ writing

    async def store(
        self,
        *,
        scratch: Path,
        width: int,
        height: int,
        record: Record,
        theme: str | None,
        private: bool,
        created_at: float,
        client: str = "otterbot",
        frames: films.Frames | None = None,
    ) -> Stored:
        """Encodes the raw RGB in ``scratch`` and archives it; the scratch file is gone afterwards.

        Without ``theme`` the prompt names the file; ``created_at`` in Unix seconds. ``frames`` become its film; where
        that cannot be made, the picture stands without one. When it returns, the picture survives a power cut. When the
        caller is cancelled, none is left.
        Raises `JobFailed` (``image_failed``) where the pixels are not all there, `OSError` for the disk.
        """
        new = writing.NewPicture(
            scratch=scratch,
            width=width,
            height=height,
            record=record,
            theme=theme,
            private=private,
            created_at=created_at,
            client=client,
            frames=frames,
        )

        def work() -> Stored:
            try:
                return writing.picture(self.root, new, self._given)
            finally:
                scratch.unlink(missing_ok=True)

        future = self._thread.submit(work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            # The thread cannot be interrupted: delete what it still finishes.
            future.add_done_callback(
                lambda done: None if done.cancelled() or done.exception() else self._remove(done.result().relpath)
            )
            if future.cancelled():
                scratch.unlink(missing_ok=True)
            raise

    async def store_sheet(
        self,
        contents: sheets.Contents,
        *,
        place: str,
        image_id: str,
        private: bool,
        created_at: float,
        client: str = "otterbot",
    ) -> tuple[Stored, tuple[bool, ...]]:
        """Makes a contact sheet and archives it. ``place``: its relpath, see `sheet_beside`; one that is there is
        made again in its place.

        Returns also, of each field, whether its picture is on it. Raises `OSError` for the disk.
        """
        self.path(place)
        new = writing.NewSheet(
            contents=contents, place=place, image_id=image_id, private=private, created_at=created_at, client=client
        )

        def work() -> tuple[Stored, tuple[bool, ...]]:
            if not self.is_here():
                raise OSError(errno.EIO, "the archive is not there")
            return writing.sheet(self.root, new)

        return await self._in_thread(work)

    async def keep(self, relpath: str, kept: bool) -> None:
        """Write beside a picture whether somebody keeps it, so that it is known without the database. Raises `OSError`
        for the disk."""
        target = self.path(relpath)
        await self._in_thread(lambda: writing.keep(target, kept))

    # ------------------------------------------------------------ removing

    async def delete(self, relpath: str) -> None:
        """Removes a picture, its sidecar, thumbnail and film, and the day's folder when it was the last; idempotent."""
        self.path(relpath)
        await self._in_thread(lambda: self._remove(relpath))

    def gone_when_delivered(self, private: bool) -> bool:
        """Whether a picture is to be deleted once it stands in its room."""
        return private and self.settings.encrypted_rooms == "until_delivered"

    async def clear_scratch(self) -> int:
        """At start, when no GPU process can be writing: drops raw pixels of tasks that will be drawn again."""
        return await self._in_thread(lambda: retention.clear_scratch(self._scratch, older_than=None))

    async def sweep(self, rows: Collection[retention.Known] | None = None, *, now: float | None = None) -> list[str]:
        """Applies the retention settings and tidies what crashes left; returns the relpaths of deleted pictures.

        ``rows``: the pictures that the database knows; ``None`` judges by the files alone. The caller marks its rows
        afterwards: a row without a file only means "gone", the other way round nothing would delete the file.
        """
        moment = time.time() if now is None else now
        limits = retention.Limits(
            keep_seconds=None if self.settings.keep_days is None else self.settings.keep_days * 86_400,
            max_bytes=None if self.settings.max_gb is None else int(self.settings.max_gb * GIGABYTE),
            drop_delivered_private=self.settings.encrypted_rooms == "until_delivered",
        )

        def work() -> list[str]:
            retention.clear_scratch(self._scratch, older_than=moment - retention.STALE_SECONDS)
            retention.clear_leftovers(self.root, older_than=moment - retention.STALE_SECONDS)
            doomed = retention.choose(retention.scan(self.root), rows, limits, moment)
            for relpath in doomed:
                self._remove(relpath)
            return doomed

        return await self._in_thread(work)

    async def strays(self, rows: Collection[retention.Known]) -> list[retention.Found]:
        """Pictures that say whose they are, and that no row knows: the database was restored from a backup."""
        known = {row.relpath for row in rows}
        return await self._in_thread(
            lambda: [file for file in retention.scan(self.root) if file.owner and file.relpath not in known]
        )

    def folders(self) -> list[Path]:
        """The folders of the archive that are the worker's, the one for raw pixels first."""
        return [self._scratch, *retention.folders(self.root)]

    def close_to_others(self, folder: Path) -> int:
        """Remove others' access rights from one of our folders and our files in it. Returns how many others could
        read."""
        mine = folder == self._scratch
        files = [path for path in folder.iterdir() if mine or retention.is_ours(path.name)]
        return privacy.close_to_others([*([folder] if mine or files else []), *files])

    def _remove(self, relpath: str) -> None:
        retention.remove(self.path(relpath))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._thread.submit(work))
