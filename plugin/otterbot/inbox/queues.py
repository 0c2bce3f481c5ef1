"""One queue per room: a room's events are handled in order, rooms in parallel."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from ..errors import places
from ..matrix.sync_answer import Raw


class RoomQueues:
    """``work`` is awaited for one event of a room at a time."""

    def __init__(self, work: Callable[[Raw], Awaitable[None]], log: logging.Logger) -> None:
        self._work = work
        self._log = log
        self._waiting: dict[str, deque[Raw]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    def put(self, room: str, event: Raw) -> None:
        if self._stopped:
            return
        waiting = self._waiting.get(room)
        if waiting is not None:
            waiting.append(event)
            return
        self._waiting[room] = deque([event])
        task = asyncio.create_task(self._run(room), name="otterbot room")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, room: str) -> None:
        waiting = self._waiting[room]
        try:
            while waiting:
                try:
                    await self._work(waiting.popleft())
                except Exception as error:
                    self._log.error("An event could not be handled: %s\n%s", type(error).__name__, places(error))
        finally:
            del self._waiting[room]

    async def stop(self) -> None:
        self._stopped = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
