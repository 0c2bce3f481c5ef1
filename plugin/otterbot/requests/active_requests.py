"""The open requests in memory, by their keys, and how the worker stands."""

from __future__ import annotations

import logging
import time

from ..clock import Clock
from .active import ActiveRequest, WorkerState


class ActiveRequests:
    """One per plugin instance. Only a container: decisions are made by its users."""

    def __init__(self, clock: Clock, log: logging.Logger) -> None:
        self._by_key: dict[str, ActiveRequest] = {}
        self._log = log
        self.worker = WorkerState(away_since=time.monotonic(), clock=clock)

    def add(self, active: ActiveRequest) -> None:
        self._by_key[active.key] = active

    def get(self, key: str) -> ActiveRequest | None:
        return self._by_key.get(key)

    def by_job(self, job_id: str) -> ActiveRequest | None:
        return next((active for active in self._by_key.values() if active.request.job_id == job_id), None)

    def all(self) -> list[ActiveRequest]:
        """All of them, oldest first."""
        return list(self._by_key.values())

    def remove(self, key: str) -> None:
        self._by_key.pop(key, None)

    def tell_all(self) -> None:
        """Notify all open requests of a change."""
        for active in self._by_key.values():
            active.changed.set()

    def worker_lost(self, *, unauthorized: bool, foreign: bool) -> None:
        """The worker is unreachable, refuses the token, or another program answers."""
        if unauthorized and not self.worker.unauthorized:
            self._log.warning(
                "The worker refuses the token. Put the token of its setup into worker.token of this instance "
                "(`otterbot-worker setup` shows it), or the path of its file into worker.token_file"
            )
        if foreign and not self.worker.foreign:
            self._log.warning("Something else than the worker answers at worker.url")
        self.worker.lost(unauthorized=unauthorized, foreign=foreign)
        self.tell_all()
