"""Wildcards: what ``__animal__`` is drawn from, a line of the operator's ``wildcards/animal.txt``. Free of torch.

The folder is looked at anew for each request, and a file is read when a prompt comes to it; what was read is kept as
long as the file's stamp is the same. Names are only ever compared with those of the files that are there, never made
into a path. Links are followed within the folder; none leads out of it, and none to another folder.
"""

from __future__ import annotations

import difflib
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from ..errors import CannotLook
from ..prompts import chance
from ..prompts.chance import Lines, Option, Undrawable, Wildcard
from . import plain_files, user_files
from .user_files import Stamp

FOLDER = "wildcards"
ENDING = ".txt"
FILES_MAX = 2_000
DEPTH_MAX = 8
"""Folders in folders."""
BYTES_MAX = 1024 * 1024
LINES_MAX = 20_000
LINE_MAX = 4_000
"""Characters."""
KEPT = 16 * 1024 * 1024
"""Bytes of files that are kept in memory, as they were read."""
NEAR = 5
SHOWN = 12

_NAME = re.compile(r"[\w.\-](?:[\w.\- ]{0,98}[\w.\-])?")
"""Of a file or a folder: as `prompts.chance` reads them."""
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_LARGE = f"is larger than {BYTES_MAX // 1024**2} MB"
_OUTSIDE = "is a link that leads out of the folder of wildcards"
_AS_WORDS = r"Words between such underscores are written `\__so__`."
_BAD_NAME = "has a name that it cannot be called by: rename it, with letters, digits, . _ and -"


class Found(NamedTuple):
    """A file in the folder."""

    name: str
    """``animals/sea``, without its ending."""
    path: Path
    stamp: Stamp
    problem: str | None = None
    """Why it cannot be used, as the end of a sentence that begins with its name."""
    unread: str | None = None
    """Why it could not be looked at; it may be intact."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """What stands in a file."""

    options: tuple[Option, ...] = ()
    names: Mapping[str, tuple[int, Wildcard]] = field(default_factory=dict)
    left_out: tuple[tuple[int, str], ...] = ()
    """Lines that cannot be drawn, by their numbers: why, as the end of a sentence."""
    problem: str | None = None
    """As in `Found`."""


class Listed(NamedTuple):
    name: str
    lines: int
    """That can be drawn."""
    problem: str | None
    """What is wrong with it, as the end of a sentence that begins with its name."""
    usable: bool


class Wildcards:
    """The operator's files. Thread-safe."""

    def __init__(self, *roots: Path) -> None:
        """``roots``: directories with the folder in them, the first one wins."""
        self._folders = [root / FOLDER for root in roots]
        self._read: dict[Path, tuple[Stamp, Read]] = {}
        self._lock = threading.Lock()

    def look(self) -> Look:
        """What is there now; nothing where there is no folder. :raises CannotLook:"""
        return Look(self, {one.name: one for folder in reversed(self._folders) for one in _all(folder)})

    def listed(self) -> list[Listed]:
        """All files, for people, with what is wrong with each. :raises CannotLook: at the folder"""
        look = self.look()
        return [look.listed(found) for found in look.files.values()]

    def read(self, found: Found) -> Read:
        """:raises CannotLook:"""
        if found.unread is not None:
            raise CannotLook(f"the file {_shown(found.name)}{ENDING}", found.unread)
        if found.problem is not None:
            return Read(problem=found.problem)
        with self._lock:
            stamp, read = self._read.get(found.path, (None, None))
        if read is None or stamp != found.stamp:
            read = _read(found.path)
            with self._lock:
                self._read.pop(found.path, None)
                self._read[found.path] = found.stamp, read
                while len(self._read) > 1 and sum(size for (size, _), _ in self._read.values()) > KEPT:
                    del self._read[next(iter(self._read))]
        return read


class Look:
    """The folder as it was at one moment: what a prompt is drawn from (`prompts.chance.Files`)."""

    def __init__(self, wildcards: Wildcards, files: Mapping[str, Found]) -> None:
        self.files = files
        """By name, sorted."""
        self._wildcards = wildcards
        self._called: dict[str, Sequence[str]] = {}

    def called(self, name: str) -> Sequence[str]:
        if name not in self._called:
            self._called[name] = self._matching(name) if "*" in name else self._named(name)
        return self._called[name]

    def lines(self, file: str) -> Lines:
        read = self._wildcards.read(self.files[file])
        if read.problem is not None:
            raise Undrawable("wildcard_unusable", f"`{_shown(file)}{ENDING}` {read.problem}.")
        return Lines(read.options, read.names)

    def unknown(self, wildcard: Wildcard) -> str:
        said = "There is no file of wildcards of that name."
        if not self.files:
            there = f"The worker has none; the operator puts them into `{FOLDER}/` in its data directory."
            return f"{said} {there} {_AS_WORDS}"
        near = self._near(wildcard.name)
        names = near or list(self.files)[:SHOWN]
        more = f" and {len(self.files) - SHOWN} more" if not near and len(self.files) > SHOWN else ""
        there = ", ".join(f"`__{_shown(name)}__`" for name in names)
        which = "The nearest" if near else "There"
        return f"{said} {which} {'is' if len(names) == 1 else 'are'}: {there}{more}. {_AS_WORDS}"

    def notes(self, files: Sequence[str]) -> Iterator[str]:
        """What is to be said of the files that a prompt was drawn from."""
        for file in files:
            read = self._wildcards.read(self.files[file])
            if read.left_out:
                yield f"In `{_shown(file)}{ENDING}` {_left_out(read)}."

    def listed(self, found: Found) -> Listed:
        name = _shown(found.name)
        try:
            read = self._wildcards.read(found)
            if read.problem is not None:
                return Listed(name, 0, read.problem, usable=False)
            chance.reach([Wildcard(found.name, "")], self)
        except Undrawable as why:
            return Listed(name, len(read.options), f"cannot be drawn: {str(why).rstrip('.')}", usable=False)
        except CannotLook as error:
            return Listed(name, 0, f"could not be looked at: {error.why}", usable=False)
        return Listed(
            name, len(read.options), f"can be drawn, but {_left_out(read)}" if read.left_out else None, usable=True
        )

    def _named(self, name: str) -> Sequence[str]:
        """By its exact name, else by one that differs in capitals only."""
        if name in self.files:
            return (name,)
        return next(((one,) for one in self.files if one.casefold() == name.casefold()), ())

    def _matching(self, name: str) -> Sequence[str]:
        """``*`` is anything within a name; with ``**`` in it, anything."""
        wanted = name.casefold()
        if "**" in wanted:
            return tuple(one for one in self.files if fnmatchcase(one.casefold(), re.sub(r"\*+", "*", wanted)))
        parts = wanted.split("/")
        return tuple(one for one in self.files if _all_match(one.casefold().split("/"), parts))

    def _near(self, name: str) -> list[str]:
        """Files whose names are like it, or whose last part is."""
        by_end: dict[str, list[str]] = {}
        for one in self.files:
            for end in {one.casefold(), one.rpartition("/")[2].casefold()}:
                by_end.setdefault(end, []).append(one)
        wanted = name.casefold()
        ends = [*difflib.get_close_matches(wanted, by_end, NEAR)]
        ends += difflib.get_close_matches(wanted.rpartition("/")[2], by_end, NEAR)
        return list(dict.fromkeys(one for end in ends for one in by_end[end]))[:NEAR]


def _all_match(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def _shown(name: str) -> str:
    return plain_files.printable(name).replace("`", "'")


def _left_out(read: Read) -> str:
    """``line 3 was left out: …``"""
    number, why = read.left_out[0]
    more = len(read.left_out) - 1
    behind = f", and {more} more {'line was' if more == 1 else 'lines were'}" if more else ""
    return f"line {number} was left out: {why}{behind}"


# ---------------------------------------------------------------- the folder


def _all(root: Path) -> list[Found]:
    """Sorted by name. :raises CannotLook: at a folder"""
    found: list[Found] = []
    folders = [(root, "", 0)]
    while folders and len(found) < FILES_MAX:
        folder, before, depth = folders.pop()
        for entry in _entries(folder):
            name = f"{before}{entry.name}"
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if depth < DEPTH_MAX:
                    folders.append((Path(entry.path), f"{name}/", depth + 1))
            elif entry.name.lower().endswith(ENDING) and (one := _found(entry, root, name)) is not None:
                found.append(one)
                if len(found) >= FILES_MAX:
                    break
    return sorted(found, key=lambda one: (one.name.casefold(), one.name))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except plain_files.ABSENT:
        return []
    except OSError as error:
        raise plain_files.cannot_look(folder, error, "the folder") from None


def _found(entry: os.DirEntry[str], root: Path, name: str) -> Found | None:
    name, path = name[: -len(ENDING)], Path(entry.path)
    one = user_files.look_at(entry)
    if one is None:
        return None
    problem = one.problem
    if problem is None and not all(_NAME.fullmatch(part) for part in name.split("/")):
        problem = _BAD_NAME
    if problem is None and entry.is_symlink():
        path = path.resolve()
        if not path.is_relative_to(root.resolve()):
            problem = _OUTSIDE
    if problem is None and one.stamp[0] > BYTES_MAX:
        problem = _LARGE
    return Found(name, path, one.stamp, problem, one.unread)


# ---------------------------------------------------------------- a file


def _read(path: Path) -> Read:
    """:raises CannotLook:"""
    try:
        with plain_files.opened(path) as file:
            raw = file.read(BYTES_MAX + 1)
    except plain_files.ABSENT:
        return Read(problem="is not there any more")
    except OSError as error:
        raise plain_files.cannot_look(path, error) from None
    if len(raw) > BYTES_MAX:
        return Read(problem=_LARGE)
    text = _text(raw)
    if text is None:
        return Read(problem="is no text in UTF-8")
    lines = text.splitlines()
    if len(lines) > LINES_MAX:
        return Read(problem=f"has more than {LINES_MAX:,} lines")
    return _parsed(lines)


def _text(raw: bytes) -> str | None:
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return raw.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        return None


def _parsed(lines: Sequence[str]) -> Read:
    options: list[Option] = []
    names: dict[str, tuple[int, Wildcard]] = {}
    left_out: list[tuple[int, str]] = []
    for number, line in enumerate((_UNSEEN.sub("", line).strip() for line in lines), 1):
        if not line or line.startswith("#"):
            continue
        if len(line) > LINE_MAX:
            left_out.append((number, f"it is longer than {LINE_MAX:,} characters"))
            continue
        try:
            one = chance.option(line)
        except chance.Broken as broken:
            left_out.append((number, str(broken)))
            continue
        options.append(one)
        for wildcard in chance.wildcards(one.nodes):
            names.setdefault(wildcard.name, (number, wildcard))
    problem = None if any(one.weight for one in options) else "has no line that can be drawn"
    return Read(options=tuple(options), names=names, left_out=tuple(left_out), problem=problem)
