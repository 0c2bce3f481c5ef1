"""Handles the worker's events for ever; after a failure the next snapshot brings everything again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ..errors import places
from .client import WorkerClient
from .job_events import Event

REPEAT = 5.0
"""Seconds until news that failed to be handled are requested again."""


class WorkerNews:
    """Follows the event stream; one per plugin instance."""

    def __init__(self, worker: WorkerClient, hear: Callable[[Event], Awaitable[None]], log: logging.Logger) -> None:
        self._worker = worker
        self._hear = hear
        self._log = log
        self._repeat: asyncio.Task[None] | None = None

    async def run(self) -> None:
        try:
            while True:
                try:
                    async for event in self._worker.stream.events():
                        await self._take_in(event)
                except Exception as error:
                    self._log.error("The worker's events: %s\n%s", type(error).__name__, places(error))
                    await asyncio.sleep(REPEAT)
        finally:
            if self._repeat is not None:
                self._repeat.cancel()

    async def _take_in(self, event: Event) -> None:
        try:
            await self._hear(event)
        except Exception as error:
            self.missed(error)

    def missed(self, error: Exception) -> None:
        """Handling an event failed (a locked database, most likely): reconnect soon for a new snapshot."""
        self._log.error("Some news could not be taken in: %s\n%s", type(error).__name__, places(error))
        if self._repeat is None or self._repeat.done():
            self._repeat = asyncio.create_task(self._anew(), name="otterbot news")

    async def _anew(self) -> None:
        await asyncio.sleep(REPEAT)
        self._worker.stream.reconnect()
