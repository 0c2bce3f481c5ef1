"""Events that could not be handled: their room is walked again, at growing intervals."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

AT_ONCE = 2
"""So many retries come with the next syncs."""
FIRST, LONGEST = 60.0, 3600.0
"""Seconds until the walks after those, growing from the first to the longest."""
MOST = 1_000


@dataclass
class _Failing:
    room: str
    since: float
    """When the event came first (``time.monotonic()``)."""
    count: int = 0
    due: float = 0.0


class Failures:
    """Times are ``time.monotonic()``. Failures of one room do not affect others."""

    def __init__(self) -> None:
        self._events: OrderedDict[str, _Failing] = OrderedDict()
        self._waiting: set[str] = set()

    def failed(self, event_id: str, room: str, since: float, now: float) -> None:
        found = self._events.setdefault(event_id, _Failing(room, since))
        found.count += 1
        late = found.count - AT_ONCE
        found.due = now if late <= 0 else now + min(FIRST * 2 ** min(late - 1, 10), LONGEST)
        self._waiting.add(event_id)
        if len(self._events) > MOST:
            self._waiting.discard(self._events.popitem(last=False)[0])

    def over(self, event_id: str) -> None:
        """Forget an event that has been handled."""
        self._events.pop(event_id, None)
        self._waiting.discard(event_id)

    def failing(self, room: str) -> bool:
        """Whether an event of that room has failed and is still unhandled."""
        return any(failing.room == room for failing in self._events.values())

    def due(self, now: float) -> dict[str, float]:
        """The rooms to walk now, each with the time to walk back to."""
        rooms: dict[str, float] = {}
        for event_id in [event_id for event_id in self._waiting if self._events[event_id].due <= now]:
            failing = self._events[event_id]
            self._waiting.discard(event_id)
            rooms[failing.room] = min(failing.since, rooms.get(failing.room, failing.since))
        return rooms
