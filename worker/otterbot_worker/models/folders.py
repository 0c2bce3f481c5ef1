"""Files that an operator drops into a folder: their names, their stamps and their hashes. Free of torch."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from . import headers

T = TypeVar("T")
NAME_MAX = 100
FILES_MAX = 2_000

Stamp = tuple[int, int]
"""Size and time of change: other stamp, other file."""

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
    """Owns hashes as long as the process lives; a changed file is read again. Thread-safe."""

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
    the order of the alphabet; none where there is no folder."""
    return _files(folder, lambda stem, ending: ending in endings and good_name(stem))


def named(known: Mapping[str, T], name: str) -> T | None:
    """By its exact name, else by one that differs in capitals only: phones like to write the first one large."""
    if name in known:
        return known[name]
    return next((one for other, one in known.items() if other.lower() == name.lower()), None)


def unusable(folder: Path, endings: Collection[str], pickles: Collection[str] = ()) -> list[tuple[Path, Stamp, str]]:
    """The files that ``listing`` passes over though somebody put them there to be used: pickles, and names that cannot
    be called. With why not, as the end of a sentence that begins with the name."""
    found = _files(
        folder,
        lambda stem, ending: stem[0] != "." and (ending in pickles or (ending in endings and not good_name(stem))),
    )
    return [(path, stamp, PICKLE if path.suffix.lower() in pickles else BAD_NAME) for path, stamp in found]


def _files(folder: Path, wanted: Callable[[str, str], bool]) -> list[tuple[Path, Stamp]]:
    """``wanted``: by stem and ending, which is in small letters."""
    found = []
    for entry in _entries(folder):
        stem, ending = os.path.splitext(entry.name)
        if not wanted(stem, ending.lower()):
            continue
        try:
            status = entry.stat()
            regular = entry.is_file()
        except OSError:
            continue
        if regular:
            found.append((Path(entry.path), (status.st_size, status.st_mtime_ns)))
        if len(found) >= FILES_MAX:
            break
    return sorted(found)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        return


def stamp(path: Path) -> Stamp:
    """:raises OSError:"""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def good_name(name: str) -> bool:
    """Whether a file's stem can be typed in a prompt and shown in a room."""
    return 0 < len(name) <= NAME_MAX and name.isprintable() and name[0] != "." and not _FORBIDDEN & set(name)


def shown(name: str) -> str:
    """A name that may be a bad one, as it can be shown in a list: a file's may hold whatever bytes there are."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)[:NAME_MAX]


def hash_file(path: Path, beat: Callable[[], None] | None = None) -> Hashes:
    """:raises OSError:"""
    whole, tensors = hashlib.sha256(), hashlib.sha256()
    with path.open("rb") as file:
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
