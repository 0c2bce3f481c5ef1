"""What the worker writes is its user's alone: from the start of each of its processes, and what older ones left too."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

UMASK = 0o077


def keep_to_ourselves() -> None:
    """To be called first of all in every process that may write."""
    os.umask(UMASK)


def close_to_others(paths: Iterable[Path]) -> int:
    """Takes others' rights away from files and folders of this user; returns from how many.

    A link is not followed, and what belongs to somebody else is left as it is.
    """
    count = 0
    for path in paths:
        with contextlib.suppress(OSError):
            # Opened, not named twice: between a look and a change a name may come to mean something else.
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                facts = os.fstat(handle)
                ours = facts.st_uid == os.geteuid() and (stat.S_ISREG(facts.st_mode) or stat.S_ISDIR(facts.st_mode))
                if ours and stat.S_IMODE(facts.st_mode) & UMASK:
                    os.fchmod(handle, stat.S_IMODE(facts.st_mode) & ~UMASK)
                    count += 1
            finally:
                os.close(handle)
    return count
