"""Rows that wait for something of their own, as a file that nobody can look at, while all others go on."""

from __future__ import annotations

import time
from collections.abc import Callable

MOST_SECONDS = 600.0
GAVE_UP = "It was tried for ten minutes."


class HeldRows:
    """Owned by the dispatcher. Forgets what it held with the process: a restart tries everything at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rows: dict[int, tuple[float, float]] = {}
        """By number: since when it waits, and until when it is not tried."""

    def hold(self, seq: int, seconds: float) -> bool:
        """``False``: it has waited long enough, and is to end."""
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
            del self._rows[old]  # it ended otherwise: cancelled, or drawn in the end
        return seq in self._rows and now < self._rows[seq][1]

    @property
    def moments(self) -> list[float]:
        """When rows may be tried again, by the clock."""
        now = self._clock()
        return [until for _, until in self._rows.values() if until > now]
