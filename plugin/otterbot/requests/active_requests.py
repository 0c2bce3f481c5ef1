"""The open requests in memory, by their keys, and how the worker stands."""

from __future__ import annotations

import logging
import time

from ..clock import Clock
from .active import Live, WorkerState


class ActiveRequests:
    """One per plugin instance. Calls nobody; everything that follows from a request is decided above it."""

    def __init__(self, clock: Clock, log: logging.Logger) -> None:
        self._by_key: dict[str, Live] = {}
        self._log = log
        self.worker = WorkerState(away_since=time.monotonic(), clock=clock)

    def add(self, live: Live) -> None:
        self._by_key[live.key] = live

    def get(self, key: str) -> Live | None:
        return self._by_key.get(key)

    def by_job(self, job_id: str) -> Live | None:
        return next((live for live in self._by_key.values() if live.request.job_id == job_id), None)

    def all(self) -> list[Live]:
        """All of them, oldest first."""
        return list(self._by_key.values())

    def remove(self, key: str) -> None:
        self._by_key.pop(key, None)

    def tell_all(self) -> None:
        """Something has changed for all of them."""
        for live in self._by_key.values():
            live.changed.set()

    def worker_lost(self, *, unauthorized: bool, foreign: bool) -> None:
        """It cannot be reached, or does not let us in, or something else answers."""
        if foreign and not self.worker.foreign:
            self._log.warning("Something else than the worker answers at worker.url")
        self.worker.lost(unauthorized=unauthorized, foreign=foreign)
        self.tell_all()
