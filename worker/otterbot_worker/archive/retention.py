"""Which pictures are deleted, and the leftovers of crashes.

`choose` is pure: files, rows and limits in, doomed pictures out. The files are the truth, not the database, so that a
worker with an emptied database still keeps to its limits. Files and folders that are not named as ours are
somebody else's and are not looked at.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import names, sidecars

STALE_SECONDS = 3_600.0
"""Age of leftovers. Storing a picture and writing its row takes less, so an older file without either is abandoned."""

UNDELIVERED_SECONDS = 7 * 86_400.0
"""How long an undelivered picture is kept: as long as clients submit again. Pictures that were cancelled, or refused by
their room, are never delivered, and nobody else would delete them."""

_THUMBNAIL = ".thumb.jpg"
_FILM = ".film.webp"
_SHEET = f"{names.SHEET}.jpg"
_SIDECAR_MAX = 1024 * 1024
"""Bytes. The longest prompts make a tenth of it."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """``None`` is "no limit"."""

    keep_seconds: float | None = None
    max_bytes: int | None = None
    drop_delivered_private: bool = True


@dataclass(frozen=True, kw_only=True)
class Known:
    """A picture that the database knows."""

    relpath: str
    private: bool
    delivered: bool
    kept: bool = False
    """Somebody wants it to stay."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A picture on the disk. ``size`` in bytes, with all that is beside it; ``modified`` in Unix seconds."""

    relpath: str
    size: int
    modified: float
    private: bool | None
    owner: sidecars.Owner | None = None
    kept: bool = False
    """Its sidecar says that somebody wants it to stay."""
    shows: tuple[str, ...] = ()
    """Of a contact sheet that is kept: the names of the files of the pictures on it."""

    @property
    def name(self) -> str:
        return self.relpath.rpartition("/")[2]

    @property
    def mimetype(self) -> str:
        return "image/jpeg" if self.relpath.endswith(_SHEET) else "image/png"


def sidecar_of(picture: Path) -> Path:
    return picture.with_suffix(".yml")


def thumbnail_of(picture: Path) -> Path:
    return picture.with_name(picture.stem + _THUMBNAIL)


def film_of(picture: Path) -> Path:
    return picture.with_name(picture.stem + _FILM)


def beside(picture: Path) -> tuple[Path, ...]:
    """The files that belong to a picture, whether they are there or not."""
    return sidecar_of(picture), thumbnail_of(picture), film_of(picture)


def sheet_of(picture: Path) -> Path:
    """The contact sheet that begins with that picture."""
    return picture.with_name(picture.stem + _SHEET)


def folders(root: Path) -> Iterator[Path]:
    """The archive's folders, one for each day."""
    for folder in root.glob("[0-9]*"):
        if names.is_folder(folder.name) and folder.is_dir() and not folder.is_symlink():
            yield folder


def scan(root: Path) -> list[Found]:
    """Every picture in the archive."""
    found = []
    kinds = ("*.png", f"*{_SHEET}")
    for picture in (path for folder in folders(root) for kind in kinds for path in folder.glob(kind)):
        if not names.is_stem(picture.stem) or picture.name.startswith("."):
            continue
        # Files that cannot be looked at stay, such as a link to itself or a name too long for a sidecar.
        with contextlib.suppress(OSError):
            facts = picture.lstat()
            if not stat.S_ISREG(facts.st_mode):
                # Not a plain file though named like our pictures. A link's target is outside the archive and must not
                # be served.
                continue
            size = facts.st_size
            for other in beside(picture):
                with contextlib.suppress(FileNotFoundError):
                    size += other.stat().st_size
            text = sidecar_text(picture)
            kept = sidecars.is_kept(text)
            found.append(
                Found(
                    relpath=f"{picture.parent.name}/{picture.name}",
                    size=size,
                    modified=facts.st_mtime,
                    private=sidecars.private(text),
                    owner=sidecars.owner(text, picture.name),
                    kept=kept,
                    shows=sidecars.sheet_files(text) if kept and picture.name.endswith(_SHEET) else (),
                )
            )
    return found


def sidecar_text(picture: Path) -> str:
    """The sidecar's text; empty where it is no file of ours. Never waits for a pipe."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        handle = os.open(sidecar_of(picture), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            if stat.S_ISREG(os.fstat(handle).st_mode):
                text = file.read(_SIDECAR_MAX + 1)
                return text.decode("utf-8") if len(text) <= _SIDECAR_MAX else ""
    return ""


def choose(found: Iterable[Found], rows: Collection[Known] | None, limits: Limits, now: float) -> list[str]:
    """The relpaths of the pictures to delete, oldest first.

    - past ``keep_seconds``: every picture that nobody keeps;
    - with ``drop_delivered_private``: those of encrypted rooms once delivered or when nobody has fetched them for
      `UNDELIVERED_SECONDS`, and those that no row knows (nobody can ask for them any more: the database was restored
      from a backup, and its client lets them be drawn again), after a while in which their row may still be written;
    - over ``max_bytes``: the oldest, but never one that is still to be delivered, or that somebody keeps.

    Somebody keeps a picture where its row or its sidecar says so, and those on a contact sheet that is kept.

    Keeping changes nothing for pictures of encrypted rooms that are to go once they are delivered: that is the
    operator's word.

    One of a room that is not encrypted, and that no row knows, is a picture like any other: the archive is people's,
    and a lost database is no reason to lose it as well.
    """
    files = sorted(found, key=lambda file: (file.modified, file.relpath))
    known = None if rows is None else {row.relpath: row for row in rows}
    kept = _kept(files, known)
    doomed: list[str] = []
    rest: list[Found] = []
    for file in files:
        age = now - file.modified
        expired = limits.keep_seconds is not None and age > limits.keep_seconds and file.relpath not in kept
        if expired or (limits.drop_delivered_private and _spent(file, known, age)):
            doomed.append(file.relpath)
        else:
            rest.append(file)
    if limits.max_bytes is not None:
        total = sum(file.size for file in rest)
        for file in rest:
            if total <= limits.max_bytes:
                break
            if _wanted(file, known, now - file.modified) or file.relpath in kept:
                continue
            doomed.append(file.relpath)
            total -= file.size
    return doomed


def _kept(files: Collection[Found], known: dict[str, Known] | None) -> set[str]:
    """The relpaths of what somebody keeps. A file's name has its time in it: two pictures have never the same."""

    def says_so(file: Found) -> bool:
        row = None if known is None else known.get(file.relpath)
        return file.kept or (row is not None and row.kept)

    kept = [file for file in files if says_so(file)]
    shown = {name for file in kept for name in file.shows}
    return {file.relpath for file in kept} | {file.relpath for file in files if file.name in shown}


def _wanted(file: Found, known: dict[str, Known] | None, age: float) -> bool:
    """Whether the picture is still to be delivered, or its row may not be written yet."""
    if known is None:
        return False
    row = known.get(file.relpath)
    return age < STALE_SECONDS if row is None else not row.delivered and age < UNDELIVERED_SECONDS


def _spent(file: Found, known: dict[str, Known] | None, age: float) -> bool:
    if known is None:
        return False
    row = known.get(file.relpath)
    if row is not None:
        return row.private and (row.delivered or age > UNDELIVERED_SECONDS)
    return bool(file.private) and age > STALE_SECONDS


def remove(picture: Path) -> None:
    """Delete a picture, its sidecar, thumbnail and film, and the folder when empty. The picture first: a picture always
    has what belongs to it."""
    for path in (picture, *beside(picture)):
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):  # a folder of this name is not ours
            path.unlink()
    with contextlib.suppress(OSError):
        picture.parent.rmdir()


def clear_scratch(folder: Path, *, older_than: float | None) -> int:
    """Deletes raw pixels last written before ``older_than`` (Unix seconds; ``None``: all); returns how many."""
    return sum(_delete_old(path, older_than) for path in folder.glob("*") if path.is_file())


def clear_leftovers(root: Path, *, older_than: float) -> int:
    """Temporary files, and sidecars, thumbnails and films whose picture never came; returns how many."""
    count = 0
    for folder in folders(root):
        for path in [path for path in folder.iterdir() if not path.is_dir()]:
            half = path.name.startswith(".") and path.name.endswith(".tmp")
            if (half or _is_alone(path)) and is_ours(path.name):
                count += _delete_old(path, older_than)
        with contextlib.suppress(OSError):
            folder.rmdir()
    return count


def _is_alone(path: Path) -> bool:
    """Whether it is a sidecar, a thumbnail or a film whose picture is not there."""
    stem = _stem(path.name)
    picture = path.with_name(stem + (".jpg" if stem.endswith(names.SHEET) else ".png"))
    return path.suffix in (".yml", ".jpg", ".webp") and not picture.exists()


def is_ours(name: str) -> bool:
    """Whether a file of a day's folder is named as ours are."""
    return names.is_stem(_stem(name.removesuffix(".tmp").removeprefix(".")))


def _stem(name: str) -> str:
    """The common stem of a picture and of what belongs to it."""
    for ending in (_THUMBNAIL, _FILM, ".yml", ".png"):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name.removesuffix(".jpg") if name.endswith(_SHEET) else ""


def _delete_old(path: Path, older_than: float | None) -> int:
    with contextlib.suppress(FileNotFoundError):
        if older_than is None or path.stat().st_mtime < older_than:
            path.unlink()
            return 1
    return 0
