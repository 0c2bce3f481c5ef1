"""What the sync brings of a room waits while that room is walked: what was missed was said before it.

Without this a ``!cancel`` that a walk finds would take back what the same person typed after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from ..matrix.sync_answer import Raw

EVERYWHERE = ""
"""In place of a room: all of them, as long as it is not known which there are."""
PATIENCE = 15.0
"""Seconds. A homeserver may have to ask others for old messages; new ones are answered meanwhile."""


@dataclass
class _Walks:
    """Walks of one room that were asked for and are not over."""

    timer: asyncio.TimerHandle
    count: int = 1
    late: bool = False


@dataclass
class Holdback:
    """Between the sync and the queues. ``release`` takes the events of a room, oldest first."""

    release: Callable[[str, list[Raw]], None]
    _walks: dict[str, _Walks] = field(default_factory=dict)
    _held: dict[str, list[Raw]] = field(default_factory=dict)

    def begun(self, room: str) -> None:
        """A walk of ``room`` was asked for: what comes from now on comes after it."""
        walks = self._walks.get(room)
        if walks is None:
            self._walks[room] = _Walks(self._timer(room))
            return
        walks.count += 1
        if walks.late:  # the earlier walk has used up its time, this one has not
            walks.timer, walks.late = self._timer(room), False

    def _timer(self, room: str) -> asyncio.TimerHandle:
        loop, before = asyncio.get_running_loop(), self._walks.get(EVERYWHERE)
        if before is not None and not before.late:  # what waits has waited since then
            return loop.call_at(before.timer.when(), self._late, room)
        return loop.call_later(PATIENCE, self._late, room)

    def over(self, room: str) -> None:
        """One such walk has ended, well or not, and has handed over what it found.

        Who knows which rooms there are knows it for all that asked: one of those may sleep between two tries.
        """
        walks = self._walks.get(room)
        if walks is None:
            return
        walks.count -= 1
        if walks.count == 0 or room == EVERYWHERE:
            walks.timer.cancel()
            del self._walks[room]
            self._sweep()

    def put(self, room: str, events: list[Raw]) -> None:
        """Events of the sync, released now or after the walks."""
        if self._waits(room):
            self._held.setdefault(room, []).extend(events)
        else:
            self.release(room, events)

    def stop(self) -> None:
        """Nothing is released any more; the next start finds it."""
        self._held.clear()
        for walks in self._walks.values():
            walks.timer.cancel()

    def _waits(self, room: str) -> bool:
        return any(place in self._walks and not self._walks[place].late for place in (room, EVERYWHERE))

    def _late(self, room: str) -> None:
        self._walks[room].late = True
        self._sweep()

    def _sweep(self) -> None:
        for room in [room for room in self._held if not self._waits(room)]:
            self.release(room, self._held.pop(room))
