"""One process per card: a lock file that the kernel releases when its holder dies.

Two half-dead GPU processes do not fit into 8 GB, so a new one waits here until the old one
is gone, before it loads anything. ``flock`` needs no cleaning up after ``kill -9``.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

POLL_S = 0.05


class CardBusy(Exception):
    """Another process kept the card for longer than the wait allowed."""


class CardLock:
    """Held from ``acquire`` until ``release`` or the end of the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def acquire(self, timeout_s: float) -> None:
        """Wait for the card.

        :raises CardBusy: it is still held after ``timeout_s`` seconds
        """
        if self._fd is not None:
            raise RuntimeError("the card lock is already held")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(fd)
                    raise CardBusy(f"another process holds the card (lock file {self._path.name})") from None
                time.sleep(POLL_S)
        self._fd = fd
        with contextlib.suppress(OSError):  # the process id is only for people, so a full disk does not matter
            os.ftruncate(fd, 0)
            os.write(fd, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
