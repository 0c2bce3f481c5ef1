"""Full or failing disks: writes are repeated until the disk takes them.

Such an error neither decides a row's state nor ends the process. Transitions of rows are repeated until the disk takes
them, so the queue stands still meanwhile. HTTP requests are answered with 503, and clients repeat them.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
log = logging.getLogger(__name__)

SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds between tries; the last value repeats."""
UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM})
"""Errors of the disk itself, which every further write would meet."""
_SQLITE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
    }
)
REASON = "The worker's disk is full or does not answer, so nothing can be written; everything waits until it can."


def passes(error: BaseException) -> bool:
    """Whether the error comes from the disk's state, not from a bug or a broken file."""
    if isinstance(error, sqlite3.Error):
        return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _SQLITE
    return isinstance(error, OSError) and error.errno in UNWRITABLE


def full(error: BaseException) -> bool:
    """Whether the error means a full disk."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def later(error: BaseException) -> bool:
    """Whether a start that failed by this error may succeed later by itself. SQLite reports an I/O error when its
    shared memory finds no space."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY)
    return full(error)


@contextmanager
def forgone() -> Iterator[None]:
    """Context for writes that may be lost, such as measured speeds: disk errors are ignored."""
    try:
        yield
    except Exception as error:
        if not passes(error):
            raise


async def surely(write: Callable[[], Awaitable[T]], *, ended: Callable[[], bool] = lambda: False) -> T:
    """Repeat ``write`` until the disk takes it. Once ``ended()`` is true, the error is raised instead."""
    tries = 0
    while True:
        try:
            done = await write()
        except Exception as error:
            if not passes(error) or ended():
                raise
            if tries == 0:
                log.exception("the disk takes nothing; this is tried again until it does")
            await asyncio.sleep(SECONDS[min(tries, len(SECONDS) - 1)])
            tries += 1
        else:
            if tries:
                log.info("the disk takes what is written again", extra={"tries": tries})
            return done
