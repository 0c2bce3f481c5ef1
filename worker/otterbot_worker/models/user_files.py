"""Files that an operator drops into a folder: their names, their stamps and their hashes. Free of torch."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from . import headers, plain_files

T = TypeVar("T")
NAME_MAX = 100
FILES_MAX = 2_000

Stamp = tuple[int, int]
"""Size and modification time: a file with another stamp counts as changed."""

PICKLES = frozenset({".pt", ".pth", ".bin", ".ckpt"})
PICKLE = "is a pickle, which can run code when it is opened: convert it to .safetensors"
BAD_NAME = f"has a name that it cannot be called by: rename it, with at most {NAME_MAX} letters, digits, . _ and -"

_FORBIDDEN = frozenset('<>:"/\\|?*`')


@dataclass(frozen=True, kw_only=True)
class Hashes:
    """SHA-256 in hex: of the file, and of what follows the header of a safetensors file (by which the tools of the
    field know LoRAs)."""

    file: str
    tensors: str


class HashCache:
    """Caches hashes for the life of the process; a changed file is hashed again. Thread-safe."""

    def __init__(self) -> None:
        self._hashes: dict[Path, tuple[Stamp, Hashes]] = {}
        self._lock = threading.Lock()

    def get(self, path: Path, stamp: Stamp, beat: Callable[[], None] | None = None) -> Hashes:
        """Reads the whole file, the first time; ``beat`` is called meanwhile and may raise. :raises OSError:"""
        known = self.known(path, stamp)
        if known is None:
            known = hash_file(path, beat)
            with self._lock:
                self._hashes[path] = (stamp, known)
        return known

    def known(self, path: Path, stamp: Stamp) -> Hashes | None:
        """Without reading anything."""
        with self._lock:
            then, known = self._hashes.get(path, (None, None))
        return known if then == stamp else None


def listing(folder: Path, endings: Collection[str]) -> list[tuple[Path, Stamp]]:
    """The files with usable names and one of these endings (small letters, with their dot) directly in a folder, in
    the order of the alphabet; none where there is no folder. :raises CannotLook:"""
    found = _all(folder, lambda stem, ending: ending in endings and good_name(stem))
    return [(one.path, one.stamp) for one in found if one.problem is None]


def named(known: Mapping[str, T], name: str) -> T | None:
    """By its exact name, else by one that differs in capitals only: phones like to write the first one large."""
    if name in known:
        return known[name]
    return next((one for other, one in known.items() if other.lower() == name.lower()), None)


class Unusable(NamedTuple):
    """A file in a folder that cannot be used."""

    path: Path
    stamp: Stamp
    problem: str
    """Why, as the end of a sentence that begins with the name."""
    unread: str | None = None
    """Why it could not be looked at; it may be intact."""


def unusable(folder: Path, endings: Collection[str], pickles: Collection[str] = ()) -> list[Unusable]:
    """The files that ``listing`` skips although their ending matches: pickles, names that cannot be typed, things that
    are no files. Folders are not reported. :raises CannotLook:"""
    found = []
    for one in _all(folder, lambda stem, ending: stem[0] != "." and (ending in endings or ending in pickles)):
        problem = one.problem
        if problem == plain_files.FOLDER:
            continue
        if problem is None and one.path.suffix.lower() in pickles:
            problem = PICKLE
        if problem is None and not good_name(one.path.stem):
            problem = BAD_NAME
        if problem is not None:
            found.append(Unusable(one.path, one.stamp, problem, one.unread))
    return found


class Entry(NamedTuple):
    path: Path
    stamp: Stamp
    problem: str | None
    """As in `Unusable`."""
    unread: str | None = None


def _all(folder: Path, wanted: Callable[[str, str], bool]) -> list[Entry]:
    """Paths directly in a folder. ``wanted``: filter by stem and ending (in small letters). Files that vanish meanwhile
    are skipped. :raises CannotLook:"""
    found: list[Entry] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                stem, ending = os.path.splitext(entry.name)
                if wanted(stem, ending.lower()) and (one := look_at(entry)) is not None:
                    found.append(one)
                if len(found) >= FILES_MAX:
                    break
    except plain_files.ABSENT:
        return []
    except OSError as error:
        raise plain_files.cannot_look(folder, error, "the folder") from None
    return sorted(found)


def look_at(entry: os.DirEntry[str]) -> Entry | None:
    """What stands in a folder; ``None``: it is gone already."""
    path, nothing = Path(entry.path), (0, 0)
    try:
        status = entry.stat()
    except plain_files.ABSENT:
        return Entry(path, nothing, "is a link to a file that is not there") if entry.is_symlink() else None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return Entry(path, nothing, "is a link that leads to itself")
        why = error.strerror or type(error).__name__
        return Entry(path, nothing, headers.unread(why), why)
    return Entry(path, (status.st_size, status.st_mtime_ns), plain_files.kind_problem(status.st_mode))


def stamp(path: Path) -> Stamp:
    """:raises OSError:"""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def good_name(name: str) -> bool:
    """Whether a file's stem can be typed in a prompt and shown in a room."""
    return 0 < len(name) <= NAME_MAX and name.isprintable() and name[0] != "." and not _FORBIDDEN & set(name)


def shown(name: str) -> str:
    """A file's name for a list; it may hold any bytes."""
    return plain_files.printable(name)[:NAME_MAX]


def hash_file(path: Path, beat: Callable[[], None] | None = None) -> Hashes:
    """:raises OSError:"""
    whole, tensors = hashlib.sha256(), hashlib.sha256()
    with plain_files.opened(path) as file:
        first = file.read(8)
        rest = file.read(min(int.from_bytes(first, "little"), headers.HEADER_MAX))
        whole.update(first)
        whole.update(rest)
        while block := file.read(1024 * 1024):
            whole.update(block)
            tensors.update(block)
            if beat is not None:
                beat()
    return Hashes(file=whole.hexdigest(), tensors=tensors.hexdigest())
