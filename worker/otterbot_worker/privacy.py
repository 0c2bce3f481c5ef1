"""File access: only the worker's own user may read what it writes, and what older versions left."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

UMASK = 0o077
SILENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
}
"""For every process with the libraries of models: they tell nobody that they are used, and a terminal nothing."""
ROOT = (
    "a flaw in any library would have the whole machine; start it as a user of its own, "
    "as the unit of `otterbot-worker setup --service system` does"
)
"""Why the worker should not run as root, and what to do; for the middle of a sentence."""


def keep_to_ourselves() -> None:
    """Set the umask; called first in every process that writes files."""
    os.umask(UMASK)


def is_root() -> bool:
    return os.geteuid() == 0


def open_to_everybody(path: Path) -> bool:
    """Whether any user of this machine may read or change a file; of its group nothing is said: a certificate's key may
    belong to one. :raises OSError:"""
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o006)


def close_to_others(paths: Iterable[Path]) -> int:
    """Remove other users' rights from files and folders of this user. Returns from how many.

    Links and other users' files are left alone.
    """
    count = 0
    for path in paths:
        with contextlib.suppress(OSError):
            # Through a file descriptor: the path may change between check and chmod.
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
