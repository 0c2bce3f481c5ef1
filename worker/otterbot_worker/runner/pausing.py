"""The pause: the cards, or one of them, are for something else, and what is queued waits. It goes on over restarts."""

from __future__ import annotations

import logging
import time

from ..queue.store import Store
from ..schemas.jobs import Pause
from .runner_common import Listener

log = logging.getLogger(__name__)

PAUSE = "pause"
LANES = "paused_lanes"
MOST_SECONDS = 60.0
"""Between two looks at the clock that ``Pause.until`` is told by: it may be set."""


class Pausing:
    """Owned by the dispatcher."""

    def __init__(self, store: Store, listener: Listener) -> None:
        self._store = store
        self._listener = listener
        self.state = Pause(paused=False)
        self.lanes: frozenset[str] = frozenset()
        """Cards that are paused alone."""

    async def recover(self) -> None:
        """After a start."""
        if (stored := await self._store.meta(PAUSE)) is not None:
            self.state = Pause.model_validate(stored)
        self.lanes = frozenset(await self._store.meta(LANES) or ())

    async def set(self, pause: Pause) -> None:
        await self._store.set_meta(PAUSE, pause.model_dump(mode="json"))
        self.state = pause
        log.info("paused" if pause.paused else "resumed")
        self._listener.pause_changed()

    async def set_lane(self, name: str, *, paused: bool) -> None:
        self.lanes = self.lanes | {name} if paused else self.lanes - {name}
        await self._store.set_meta(LANES, sorted(self.lanes))
        log.info("%s is %s", name, "paused" if paused else "resumed")

    @property
    def is_over(self) -> bool:
        """Its time has come; nobody has ended it yet."""
        return self.state.paused and self.state.until is not None and time.time() >= self.state.until

    @property
    def rest(self) -> float | None:
        """Seconds to sleep in it; ``None``: until somebody ends it."""
        until = self.state.until
        return None if until is None else min(MOST_SECONDS, max(0.05, until - time.time()))
