"""A disk that is full, or answers with errors for a while: what has to be written is written when it can be.

Nothing is decided by such an error and no process ends over it. A transition of a row is tried again until the disk
takes it, so the queue stands still meanwhile; requests over HTTP are answered with 503 and come again.
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
"""Between two tries; the last one for ever."""
UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM})
"""Errors of the disk that the next write would meet as well: nothing that is written is to blame."""
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
    """Whether it is the disk's state, and no bug and no broken file."""
    if isinstance(error, sqlite3.Error):
        return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _SQLITE
    return isinstance(error, OSError) and error.errno in UNWRITABLE


def full(error: BaseException) -> bool:
    """Whether there is no space left."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def later(error: BaseException) -> bool:
    """Whether a start that fails by it may succeed later without anybody's doing. SQLite calls it an I/O error when
    its shared memory finds no space."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY)
    return full(error)


@contextmanager
def forgone() -> Iterator[None]:
    """Around what is only good to know (how fast a model is): not written, it is learned again."""
    try:
        yield
    except Exception as error:
        if not passes(error):
            raise


async def surely(write: Callable[[], Awaitable[T]], *, ended: Callable[[], bool] = lambda: False) -> T:
    """Does it, however long the disk takes nothing; with ``ended()`` true the error is raised instead."""
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
