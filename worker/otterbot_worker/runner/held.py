"""Rows held back for a reason of their own, such as an unreadable file, while all others run."""

from __future__ import annotations

import time
from collections.abc import Callable

MOST_SECONDS = 600.0
GAVE_UP = "It was tried for ten minutes."


class HeldRows:
    """Owned by the dispatcher. Not stored: after a restart every row is tried at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rows: dict[int, tuple[float, float]] = {}
        """``seq`` → since when the row waits, and until when it is not tried."""

    def hold(self, seq: int, seconds: float) -> bool:
        """Hold a row back for ``seconds``; ``False``: it has waited too long and has to fail."""
        now = self._clock()
        since, _ = self._rows.get(seq, (now, now))
        if now - since >= MOST_SECONDS:
            del self._rows[seq]
            return False
        self._rows[seq] = (since, now + seconds)
        return True

    def holds(self, seq: int) -> bool:
        """Whether the row is not to be tried yet."""
        now = self._clock()
        for old in [one for one, (_, until) in self._rows.items() if now - until >= MOST_SECONDS]:
            del self._rows[old]  # it was cancelled or drawn meanwhile
        return seq in self._rows and now < self._rows[seq][1]

    @property
    def moments(self) -> list[float]:
        """When held rows may be tried again, by ``time.monotonic``."""
        now = self._clock()
        return [until for _, until in self._rows.values() if until > now]
