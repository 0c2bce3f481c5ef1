"""The worker's background loops. The process ends with any of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Background:
    """Owns the background loops. A loop that ends stops the process, with an error in the log."""

    broken: asyncio.Future[BaseException] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self, work: Coroutine[Any, Any, None], name: str, *, ends: bool = False) -> None:
        """Start a loop. ``ends``: the loop may return; only an exception stops the process."""
        task = asyncio.create_task(work, name=name)
        self.tasks.append(task)
        task.add_done_callback(lambda done: self._done(done, ends))

    def fail(self, error: BaseException) -> None:
        if not self.broken.done():
            self.broken.set_result(error)

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None], ends: bool) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            log.critical("a background loop died", extra={"loop": task.get_name()}, exc_info=error)
            self.fail(error)
        elif not ends and not self.broken.done():
            self.fail(RuntimeError(f"the loop {task.get_name()} ended"))
