"""Polls the worker's jobs while the event stream brings nothing.

A proxy between plugin and worker may hold the stream back until it ends, which it never does. The worker says something
every 15 s, if only that it is there; so a stream that stands and stays silent is seen, and asking takes its place until
bytes come again. Besides, whatever has not been heard of for a minute is asked for, stream or not.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from ..errors import WorkerError, places
from .client import WorkerClient
from .job_events import Event

LOOK = 1.0
EVERY = 5.0
"""Seconds between two polls while the stream is silent."""
OVERDUE = 60.0
"""Seconds without news after which a job is polled."""


class Polling:
    """One per plugin instance, beside :class:`~.event_listener.WorkerNews`."""

    def __init__(
        self,
        worker: WorkerClient,
        hear: Callable[[Event], Awaitable[None]],
        overdue: Callable[[float], Awaitable[None]],
        log: logging.Logger,
    ) -> None:
        """``hear``: as the stream's events. ``overdue``: ask for jobs without news since (``time.monotonic()``)."""
        self._worker = worker
        self._hear = hear
        self._overdue = overdue
        self._log = log
        self._looked = time.monotonic()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY if self._worker.stream.polled else LOOK)
            try:
                await self._look()
            except Exception as error:
                self._log.error("Asking the worker: %s\n%s", type(error).__name__, places(error))

    async def _look(self) -> None:
        if self._worker.stream.silent:
            await self._ask()
        elif self._worker.stream.polled:
            self._worker.stream.polled = False
            self._log.info("The worker's events come again")
        if time.monotonic() - self._looked > OVERDUE:
            self._looked = time.monotonic()
            await self._overdue(self._looked - OVERDUE)

    async def _ask(self) -> None:
        try:
            snapshot = await self._worker.snapshot()
        except WorkerError:
            self._worker.stream.polled = False  # the worker is away, which the stream's failure reports
            return
        if not self._worker.stream.polled:
            self._worker.stream.polled = True
            self._log.warning(
                "The worker answers, but its event stream brings nothing; it is asked every %.0f s", EVERY
            )
        await self._hear(snapshot)
