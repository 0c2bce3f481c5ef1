"""Which events have come, and when: what a walk finds was there before."""

from __future__ import annotations

import time
from collections import OrderedDict

MOST = 20_000


class Dedup:
    """The newest events by their ids. Moments are those of ``time.monotonic()``."""

    def __init__(self) -> None:
        self._events: OrderedDict[str, float] = OrderedDict()
        self._failed: set[str] = set()

    def new(self, event_id: str) -> bool:
        """It comes; false if it has come before (and has not failed since)."""
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
        """It has to come again; when it came first. What is behind it in its room may all be known by now."""
        if event_id not in self._events:
            return 0.0
        self._failed.add(event_id)
        return self._events[event_id]

    def before(self, event_id: str, moment: float) -> bool:
        """It came before that."""
        return event_id not in self._failed and self._events.get(event_id, moment) < moment
