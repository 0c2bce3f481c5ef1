"""`Turns`: limited concurrency, fair between people."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

KNOWN_MAX = 1_000
"""So many people's last turns are remembered."""


class Turns:
    """``at_once`` slots, at most one per person: a person's slow pictures wait for each other, not for others. Where
    people wait, the one served longest ago is next.

    Pictures without a known person may take every slot, and count as one person in the order.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._busy = 0
        self._holding: dict[str | None, int] = {}
        self._waiting: dict[str | None, deque[asyncio.Future[None]]] = {}
        self._served: dict[str | None, int] = {}
        """Person → number of their last turn; the lowest comes first."""
        self._number = 0

    @asynccontextmanager
    async def turn(self, person: str | None) -> AsyncIterator[None]:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(person, deque()).append(place)
        self._next()
        try:
            await place
            yield
        finally:
            if place.done() and not place.cancelled():
                self._leave(person)
            else:
                self._give_up(person, place)
            self._next()

    def _next(self) -> None:
        """Start everyone for whom a slot is free."""
        for person in sorted(self._waiting, key=lambda one: self._served.get(one, 0)):
            if self._busy >= self._at_once:
                return
            if self._holding.get(person, 0) >= (1 if person is not None else self._at_once):
                continue
            queue = self._waiting[person]
            place = queue.popleft()
            if place.cancelled():
                queue.appendleft(place)  # still in the queue: a cancelled waiter removes its own entry
                continue
            self._busy += 1
            self._holding[person] = self._holding.get(person, 0) + 1
            if not queue:
                del self._waiting[person]
            self._number += 1
            self._served.pop(person, None)
            self._served[person] = self._number
            while len(self._served) > KNOWN_MAX:
                del self._served[next(iter(self._served))]
            place.set_result(None)

    def _leave(self, person: str | None) -> None:
        self._busy -= 1
        self._holding[person] -= 1
        if not self._holding[person]:
            del self._holding[person]

    def _give_up(self, person: str | None, place: asyncio.Future[None]) -> None:
        queue = self._waiting[person]
        queue.remove(place)
        if not queue:
            del self._waiting[person]
