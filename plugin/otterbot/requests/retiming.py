"""Adjusts the times of open requests when a clock is set, so that ages and time limits stay the same."""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from ..store.rows import Request
from ..store.store import Store
from ..waiting import surely
from .active_requests import ActiveRequests
from .signals import Signals

FUTURE = 60.0
"""A request this many seconds in the future was stored by a wrong clock."""


def moved(request: Request, later: float) -> Request:
    """The same request in another clock's time."""
    sent_at = None if request.sent_at is None else request.sent_at + later
    accepted, until = request.created_at + later, request.expires_at + later
    return replace(request, created_at=accepted, expires_at=until, sent_at=sent_at)


class Retiming:
    """One per plugin instance; keeps nothing."""

    def __init__(self, store: Store, active: ActiveRequests, signals: Signals, log: logging.Logger) -> None:
        self._store = store
        self._active = active
        self._signals = signals
        self._log = log

    def clock_was_set(self, later: float) -> Coroutine[Any, Any, None]:
        """The homeserver's clock was set: adjusts memory at once, and the database when the result is awaited."""
        self._log.warning("The homeserver's clock was set by %.0f s", later)
        requests = []
        for active in self._active.all():
            active.request = moved(active.request, later)
            requests.append(active.request)
        return self._store_all(requests)

    async def _store_all(self, requests: Iterable[Request]) -> None:
        for request in requests:
            await surely(partial(self._store.retime, request), self._log)
        self._signals.housekeeping.set()

    async def know_the_time(self) -> None:
        """Wait until the homeserver has told the time, then adjust requests from the future: their clock was ahead, and
        was set while the plugin was off."""
        clock = self._store.clock
        await clock.settle()
        now = clock.now()
        requests = []
        for active in self._active.all():
            if active.request.created_at > now + FUTURE:
                active.request = moved(active.request, now - active.request.created_at)
                requests.append(active.request)
        await self._store_all(requests)
