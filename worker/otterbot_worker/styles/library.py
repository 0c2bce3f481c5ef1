"""The styles that there are: found by name, listed, read again when a file has changed. Free of torch."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from .. import yamlfile
from ..errors import CannotLook
from ..models import plain_files, user_files
from ..models.user_files import Stamp
from . import files
from .style import Style, fold

FOLDER = "styles"
NEAR = 3
_COMPARED = 60
"""Characters of a typed name that are compared with the known names."""
_READERS = {".csv": files.read_csv, ".json": files.read_json}
_FILES_MAX = 100
TOO_MANY_FILES = f"is one file too many: {_FILES_MAX} are read"


@functools.cache
def catalogue() -> tuple[Style, ...]:
    """Those that ship with the worker, in the order of their file."""
    listed: list[dict[str, Any]] = yamlfile.read(Path(__file__).with_name("catalogue.yaml"))
    return tuple(Style(**one) for one in listed)


@dataclass(frozen=True, kw_only=True)
class StyleFile:
    """A file of the operator's, read."""

    name: str
    styles: tuple[Style, ...] = ()
    problems: tuple[str, ...] = ()
    """Ends of sentences that begin with its name."""
    unread: str | None = None
    """Why nobody could look at it now: it may hold anything."""


class StyleLibrary:
    """The operator's files, looked for anew each time, and the catalogue. Thread-safe; all methods but `near` read
    files, so they run in a thread."""

    def __init__(self, folder: Path | None = None) -> None:
        """``folder``: the operator's; ``None`` without one."""
        self._folder = folder
        self._lock = threading.Lock()
        self._read: dict[Path, tuple[Stamp, StyleFile]] = {}
        self._named: tuple[list[StyleFile], dict[str, Style]] = [], _by_name([])
        """The styles of some files by their names, of the look-up before."""

    def files(self) -> list[StyleFile]:
        """In the order of the alphabet. :raises CannotLook: at the folder"""
        if self._folder is None:
            return []
        with self._lock:
            there = user_files.listing(self._folder, _READERS)
            found = [self._of(path, stamp) for path, stamp in there[:_FILES_MAX]]
            found += [StyleFile(name=_shown(path), problems=(TOO_MANY_FILES,)) for path, _ in there[_FILES_MAX:]]
            self._read = {path: self._read[path] for path, _ in there if path in self._read}
        unusable = user_files.unusable(self._folder, _READERS)
        return found + [
            StyleFile(name=_shown(one.path), problems=(one.problem,), unread=one.unread) for one in unusable
        ]

    def all(self) -> Mapping[str, Style]:
        """By folded name: the operator's first, in which the last of one name counts, then the catalogue's.

        :raises CannotLook: at the folder
        """
        return self._names(self.files())

    def find(self, name: str) -> Style | None:
        """:raises CannotLook: at the folder, or at a file which may hold that style"""
        there, key = self.files(), fold(name)
        found = self._names(there).get(key)
        if found is not None and found.source == "file":
            return found
        for one in there:
            if one.unread is not None:
                raise CannotLook(f"the file {one.name} in {FOLDER}/", one.unread)
        return found

    def near(self, name: str) -> list[str]:
        """Names like one that nobody knows, the likeliest first. :raises CannotLook: at the folder"""
        known, key = self.all(), fold(name)[:_COMPARED]
        holding = sorted((one for one in known if len(key) > 2 and key in one), key=len)
        likely = [*holding, *get_close_matches(key, known, n=NEAR, cutoff=0.6)]
        return [known[one].name for one in dict.fromkeys(likely)][:NEAR]

    def _names(self, there: list[StyleFile]) -> dict[str, Style]:
        """Made anew only where a file has changed: a sweep of styles looks for each, among thousands."""
        before, named = self._named
        if len(before) != len(there) or any(one is not other for one, other in zip(before, there, strict=True)):
            named = _by_name(there)
            self._named = there, named
        return named

    def _of(self, path: Path, stamp: Stamp) -> StyleFile:
        """Read anew only where it has changed; what could not be read is tried again."""
        then, known = self._read.get(path, (None, None))
        if known is None or then != stamp:
            known = _read(path, stamp)
            if known.unread is None:
                self._read[path] = stamp, known
        return known


def _read(path: Path, stamp: Stamp) -> StyleFile:
    name = _shown(path)
    if stamp[0] > files.BYTES_MAX:
        return StyleFile(name=name, problems=(files.TOO_LARGE,))
    try:
        with plain_files.opened(path) as file:
            raw = file.read(files.BYTES_MAX + 1)
    except plain_files.ABSENT:
        return StyleFile(name=name)  # gone since it was listed
    except PermissionError:
        return StyleFile(name=name, problems=("may not be read by the worker",))
    except OSError as error:
        why = error.strerror or type(error).__name__
        return StyleFile(name=name, problems=(f"could not be looked at: {why}",), unread=why)
    if len(raw) > files.BYTES_MAX:
        return StyleFile(name=name, problems=(files.TOO_LARGE,))
    found = _READERS[path.suffix.lower()](raw, name)
    return StyleFile(name=name, styles=tuple(found.styles), problems=tuple(found.problems))


def _by_name(there: list[StyleFile]) -> dict[str, Style]:
    own: Mapping[str, Style] = {fold(style.name): style for one in there for style in one.styles}
    return {**own, **{key: style for style in catalogue() if (key := fold(style.name)) not in own}}


def _shown(path: Path) -> str:
    return user_files.shown(path.name)
