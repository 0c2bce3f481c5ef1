"""Which events have come, and when, so that walks recognise known ones."""

from __future__ import annotations

import time
from collections import OrderedDict

MOST = 20_000


class Dedup:
    """The newest events by id. Times are ``time.monotonic()``."""

    def __init__(self) -> None:
        self._events: OrderedDict[str, float] = OrderedDict()
        self._failed: set[str] = set()

    def new(self, event_id: str) -> bool:
        """Record an event; false if it has come before (and has not failed since)."""
        if event_id in self._failed:
            self._failed.discard(event_id)
            return True
        if event_id in self._events:
            return False
        self._events[event_id] = time.monotonic()
        if len(self._events) > MOST:
            self._failed.discard(self._events.popitem(last=False)[0])
        return True

    def failed(self, event_id: str) -> float:
        """Mark for redelivery. Returns when it was first seen: the next backfill must reach back that far."""
        if event_id not in self._events:
            return 0.0
        self._failed.add(event_id)
        return self._events[event_id]

    def before(self, event_id: str, moment: float) -> bool:
        """Whether the event was seen before ``moment``."""
        return event_id not in self._failed and self._events.get(event_id, moment) < moment
