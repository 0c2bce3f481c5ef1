"""Counts of the outbox since the start: what was sent, how long it took, how often the homeserver slowed it down."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ..store.rows import Rank


@dataclass(kw_only=True)
class Tally:
    sent: Counter[Rank] = field(default_factory=Counter)
    seconds: dict[Rank, float] = field(default_factory=dict)
    """From the moment when it was to be sent (at the earliest the start) until it stood in its room; the sum."""
    given_up: int = 0
    throttled: int = 0
    throttled_seconds: float = 0.0
    """As long as the homeserver asked the outbox to wait."""

    def add_sent(self, rank: Rank, seconds: float) -> None:
        self.sent[rank] += 1
        self.seconds[rank] = self.seconds.get(rank, 0.0) + seconds

    def add_throttled(self, seconds: float) -> None:
        self.throttled += 1
        self.throttled_seconds += seconds
