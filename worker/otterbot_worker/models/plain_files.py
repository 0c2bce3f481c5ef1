"""Whether a file is there, and how it is opened. Free of torch.

A folder for people's files may hold anything: a pipe, which keeps whoever opens it waiting for a writer; a device,
which never ends; a link to itself. So nothing here waits, and nothing but a plain file is read.

Absent is what the system calls so (no such file, or a file where a folder should be). Every other error says only that
nobody could look: it leaves as ``CannotLook`` and is never taken for a no.
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
"""Bytes of a file of settings. The largest ones, of tokenizers, are not read here."""
JSON_PARTS_MAX = 50_000
"""Lists and objects in one: each takes many times the two characters that make it."""

FOLDER = "is a folder, not a file"
_KINDS = (
    (stat.S_ISDIR, FOLDER),
    (stat.S_ISFIFO, "is a pipe, not a file"),
    (stat.S_ISSOCK, "is a socket, not a file"),
    (stat.S_ISBLK, "is a device, not a file"),
    (stat.S_ISCHR, "is a device, not a file"),
)


class NotPlain(OSError):
    """It is there and no file. ``strerror`` ends a sentence that begins with its name."""


def kind_problem(mode: int) -> str | None:
    """Why nothing can be read of what has this ``st_mode``, as the end of a sentence; ``None``: it is a plain file."""
    if stat.S_ISREG(mode):
        return None
    return next((said for test, said in _KINDS if test(mode)), "is no file")


def status(path: Path) -> os.stat_result | None:
    """What a path leads to; ``None``: nothing is there. :raises CannotLook:"""
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
    """Of all that lies in a folder, in the order of the alphabet; none where there is no folder. :raises CannotLook:"""
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
    """To read it. Never waits for a pipe's writer. :raises NotPlain: :raises OSError:"""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        problem = kind_problem(os.fstat(descriptor).st_mode)
        if problem is not None:  # Python's own answer to a folder is that nobody can look at it
            raise NotPlain(0, problem)
    except OSError:
        os.close(descriptor)
        raise
    with open(descriptor, "rb") as file:
        yield file


def read_json(path: Path, most: int = JSON_MAX) -> Any:
    """A file of settings. :raises ValueError: it is none, or too large :raises OSError:"""
    with opened(path) as file:
        raw = file.read(most + 1)
    if len(raw) > most or raw.count(b"[") + raw.count(b"{") > JSON_PARTS_MAX:
        raise ValueError("too large")
    try:
        return json.loads(raw)
    except (RecursionError, MemoryError):
        raise ValueError("nested too deeply") from None
