"""Typing notices while an answer is being made: beside the placeholder, never instead of it.

They say nothing that has to arrive, so they go past the outbox, and whatever becomes of them is ignored.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable

from ..config import Values
from ..errors import MatrixError
from ..matrix.http import MatrixHttp
from ..requests.active import ActiveRequest, WorkerState
from ..waiting import news

REFRESH = 20.0
LASTS = 30.0
"""Seconds after which a notice ends that nobody takes back: we may die meanwhile."""


class Typing:
    """One per plugin instance. Several answers in a room are one notice."""

    def __init__(self, http: MatrixHttp, bot: str, state: WorkerState, values: Callable[[], Values]) -> None:
        self._http = http
        self._bot = bot
        self._state = state
        self._values = values
        self._rooms: Counter[str] = Counter()

    async def during(self, active: ActiveRequest, moved: asyncio.Event, over: Callable[[], bool]) -> None:
        """Runs as one task: types whenever the worker makes the answer of ``active``, until it is ``over``.
        ``moved`` is set at every change of that; only this task clears it."""
        while not over():
            moved.clear()
            if self._is_made(active):
                await self._while_made(active, moved, over)
            else:
                await moved.wait()

    async def _while_made(self, active: ActiveRequest, moved: asyncio.Event, over: Callable[[], bool]) -> None:
        room = active.request.room_id
        self._rooms[room] += 1
        try:
            while not over() and self._is_made(active):
                await self._say(room, LASTS)
                renew = time.monotonic() + REFRESH
                while not over() and self._is_made(active) and await news(moved, renew - time.monotonic()):
                    moved.clear()
        finally:
            self._rooms[room] -= 1
            if not self._rooms[room]:
                del self._rooms[room]
                await self._say(room, 0)

    def _is_made(self, active: ActiveRequest) -> bool:
        running = active.job is not None and active.job.state == "running"
        return running and self._state.away_since is None and self._values().chat.typing

    async def _say(self, room: str, seconds: float) -> None:
        with contextlib.suppress(MatrixError):
            await self._http.typing(room, self._bot, seconds)
