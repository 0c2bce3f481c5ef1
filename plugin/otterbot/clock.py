"""The homeserver's time, kept by a clock that nobody sets.

The clock of a small box may be wrong by days until NTP has set it, and then it jumps; so may the homeserver's. Ages and
waits are therefore reckoned in the homeserver's time, as its answers tell it (``Date``), and carried on between two
answers by the system's monotonic clock. ``time.time()`` counts only until the first answer.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime

SAME_TIME = 3.0
"""Seconds that two clocks may differ without being called different; a header knows whole seconds only."""
SET = 10.0
"""A larger difference in seconds means that the homeserver's clock was set, not just a slow answer."""
DOUBTFUL = 60.0
"""A new message whose time is off by more seconds makes the clock ask the homeserver."""
DOUBT_EVERY = 60.0
"""Seconds between two such questions."""
BACKOFF = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


def steady() -> float:
    """Seconds of a clock that is never set, and goes on while the machine sleeps, where the system has such a one."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class Clock:
    """One per plugin instance, shared by all that ask how old something is."""

    def __init__(self) -> None:
        self._offset = time.time() - steady()
        self._maybe: float | None = None
        """A new offset seen in one answer; a second answer confirms it."""
        self._doubted = -DOUBT_EVERY
        self.known = False
        """Whether the homeserver has told its time. Before that nothing expires, and nothing is forgotten."""
        self.ask: Callable[[], Awaitable[object]] | None = None
        """Any request to the homeserver, whose answer is :meth:`observe`\\ d; ``None``: there is nobody to ask."""
        self.settled: list[Callable[[float], None]] = []
        """Called at the first answer with the difference to ``time.time()`` in seconds."""
        self.moved: list[Callable[[float], None]] = []
        """Called when the homeserver's clock was set later, with the seconds."""

    def now(self) -> float:
        """The homeserver's time, Unix seconds."""
        return steady() + self._offset

    def observe(self, date: str | None) -> None:
        """An answer of the homeserver has come, with that ``Date`` (``None``: without one)."""
        try:
            told = None if date is None else parsedate_to_datetime(date).timestamp()
        except (ValueError, OverflowError):
            told = None
        off = 0.0 if told is None else told - self.now()
        if not self.known:
            self._settle(off if abs(off) > SAME_TIME else 0.0)
        elif abs(off) <= SET:
            self._maybe = None
        elif self._maybe is None or abs(self._offset + off - self._maybe) > SAME_TIME:
            self._maybe = self._offset + off
        else:
            self._offset, self._maybe = self._offset + off, None
            for tell in self.moved:
                tell(off)

    def _settle(self, off: float) -> None:
        self._offset += off
        self.known = True
        for tell in self.settled:
            tell(off)

    async def settle(self) -> None:
        """Until the homeserver's time is known."""
        tries = 0
        while not self.known:
            try:
                if self.ask is not None:
                    await self.ask()
                self.observe(None)
            except Exception:  # away or refused: it is asked again
                await asyncio.sleep(BACKOFF[min(tries, len(BACKOFF) - 1)])
                tries += 1

    async def doubt(self, said_at: float) -> None:
        """A message that has just come is of that time, by the homeserver. Where that cannot be, the homeserver is
        asked whether its clock was set."""
        if abs(said_at - self.now()) <= DOUBTFUL or self.ask is None or steady() - self._doubted < DOUBT_EVERY:
            return
        self._doubted = steady()
        try:
            for _ in range(2):
                await self.ask()
        except Exception:  # a later message asks again
            return


class Polls:
    """Times of sync answers: events in one were sent since the previous one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: float | None = None

    def answered(self) -> tuple[float, float]:
        """An answer has come. The bounds of the times at which what it brings was said, by the homeserver: none before
        a first answer, which brings what was missed, and none as long as nobody knows the time."""
        before, self._last = self._last, steady()
        if not self._clock.known:
            return -math.inf, math.inf
        now = self._clock.now()
        return (-math.inf if before is None else now - (self._last - before)), now
