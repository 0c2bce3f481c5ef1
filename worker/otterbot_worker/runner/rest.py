"""When a card is left alone for a while, because it failed again and again, or is too hot. The others go on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

TRIES = 3
"""Failures one after another before a card rests."""
FIRST_SECONDS = 60.0
MOST_SECONDS = 3_600.0


class Rest:
    """Of one card beside others. A card that is alone is tried again at once, since nobody else can do its work."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._failures = 0
        self._rests = 0
        self._until = float("-inf")
        self._reason = ""

    @property
    def reason(self) -> str | None:
        """Why it rests, as a sentence; ``None``: it does not."""
        return self._reason if self._clock() < self._until else None

    @property
    def until(self) -> float | None:
        """By ``time.monotonic``; ``None``: it does not rest."""
        return self._until if self._clock() < self._until else None

    def failed(self, reason: str) -> None:
        """Its process died, hung or did not start. ``reason``: a sentence. The third time in a row it rests, and twice
        as long after each further one."""
        self._failures += 1
        if self._failures >= TRIES:
            seconds = min(MOST_SECONDS, FIRST_SECONDS * 2**self._rests)
            self._rests += 1
            log.warning("%s rests for %d s after %d failures", self._name, seconds, self._failures)
            self.hold(reason, seconds)

    def hold(self, reason: str, seconds: float) -> None:
        self._until, self._reason = self._clock() + seconds, reason

    def end(self) -> None:
        """Whatever it was is over; failures before count on."""
        self._until = float("-inf")

    def cool(self, heat: str | None) -> None:
        """``heat``: why it is too hot, as a sentence."""
        if heat is not None and self.reason is None:
            log.warning("%s rests for %d s: %s", self._name, FIRST_SECONDS, heat)
            self.hold(heat, FIRST_SECONDS)

    def worked(self) -> None:
        """It did something to its end."""
        self._failures = self._rests = 0
