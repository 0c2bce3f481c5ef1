"""Work for a row that can be interrupted from outside: what a language model does for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

from ..errors import Cancelled
from ..queue.model import Row

T = TypeVar("T")


class Interruptible(Generic[T]):
    """Tells work that was interrupted (`Cancelled`) from a loop that is (`asyncio.CancelledError`)."""

    def __init__(self, name: str) -> None:
        """``name``: of its tasks, as a debugger shows them."""
        self._name = name
        self._tasks: dict[str, asyncio.Task[T]] = {}

    def interrupt(self, row: Row) -> None:
        """Stops the row's work, if it runs."""
        if (task := self._tasks.get(row.task_id)) is not None:
            task.cancel()

    async def run(self, row: Row, work: Coroutine[Any, Any, T]) -> T:
        """To its end, also where whoever waits for it is cancelled. :raises Cancelled: it was interrupted"""
        task = self._tasks[row.task_id] = asyncio.create_task(work, name=f"{self._name} {row.task_id}")
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        finally:
            del self._tasks[row.task_id]
        if task.cancelled():
            raise Cancelled
        return task.result()
