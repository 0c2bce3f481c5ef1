"""Whether a file is there, and how it is opened. Free of torch.

A folder for people's files may hold anything: a pipe, on which open() waits for a writer; a device that never ends; a
link to itself. So nothing here waits, and only plain files are read.

Absent means ENOENT or ENOTDIR. Every other error means that nobody could look: it is raised as ``CannotLook`` and never
counts as absent.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import CannotLook

ABSENT = (FileNotFoundError, NotADirectoryError)
JSON_MAX = 1024 * 1024
"""Bytes of a settings file. Tokenizers' larger ones are not read here."""
JSON_PARTS_MAX = 50_000
"""Lists and objects in one file: each takes far more memory than its two characters."""

FOLDER = "is a folder, not a file"
_KINDS = (
    (stat.S_ISDIR, FOLDER),
    (stat.S_ISFIFO, "is a pipe, not a file"),
    (stat.S_ISSOCK, "is a socket, not a file"),
    (stat.S_ISBLK, "is a device, not a file"),
    (stat.S_ISCHR, "is a device, not a file"),
)


class NotPlain(OSError):
    """It exists but is no plain file. ``strerror`` ends a sentence that begins with its name."""


def kind_problem(mode: int) -> str | None:
    """Why a thing with this ``st_mode`` cannot be read, as the end of a sentence; ``None``: it is a plain file."""
    if stat.S_ISREG(mode):
        return None
    return next((said for test, said in _KINDS if test(mode)), "is no file")


def status(path: Path) -> os.stat_result | None:
    """``stat`` of a path; ``None``: nothing is there. :raises CannotLook:"""
    try:
        return path.stat()
    except ABSENT:
        return None
    except ValueError:  # a NUL: no file can be called so
        return None
    except OSError as error:
        raise cannot_look(path, error) from None


def is_file(path: Path) -> bool:
    """:raises CannotLook:"""
    found = status(path)
    return found is not None and stat.S_ISREG(found.st_mode)


def is_dir(path: Path) -> bool:
    """:raises CannotLook:"""
    found = status(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def names(folder: Path) -> list[str]:
    """All names in a folder, sorted; none where there is no folder. :raises CannotLook:"""
    try:
        return sorted(os.listdir(folder))
    except ABSENT:
        return []
    except ValueError:
        return []
    except OSError as error:
        raise cannot_look(folder, error, "the folder") from None


def cannot_look(path: Path, error: OSError, what: str = "the file") -> CannotLook:
    return CannotLook(f"{what} {printable(path.name)}", error.strerror or type(error).__name__)


def printable(name: str) -> str:
    """A file's name as a terminal, a log or a room can show it: any bytes may stand in one."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading. Never waits for a pipe's writer. :raises NotPlain: :raises OSError:"""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        problem = kind_problem(os.fstat(descriptor).st_mode)
        if problem is not None:  # for a folder, Python raises a permission error instead
            raise NotPlain(0, problem)
    except OSError:
        os.close(descriptor)
        raise
    with open(descriptor, "rb") as file:
        yield file


def read_json(path: Path, most: int = JSON_MAX) -> Any:
    """Read a settings file. :raises ValueError: no JSON, or too large :raises OSError:"""
    with opened(path) as file:
        raw = file.read(most + 1)
    if len(raw) > most or raw.count(b"[") + raw.count(b"{") > JSON_PARTS_MAX:
        raise ValueError("too large")
    try:
        return json.loads(raw)
    except (RecursionError, MemoryError):
        raise ValueError("nested too deeply") from None
