"""An entry of the outbox: a part, its content, and its attempts."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from ..store.rows import Part

BACKOFF = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


@dataclass(eq=False)
class Entry:
    part: Part
    order: int
    stored: bool = True
    lookup: bool = False
    """It may already be in the room, so look for it before sending."""
    content: dict[str, Any] | None = None
    plain_media: bool = False
    """Its content names a file that was uploaded without encryption."""
    build: asyncio.Task[None] | None = None
    not_before: float = 0.0
    """``time.monotonic()`` of the next attempt."""
    tries: int = 0
    refusals: int = 0
    """How often the homeserver has answered "forbidden"."""
    limited_since: float | None = None
    """``time.monotonic()`` of the first of the refusals "too many uploads" that have come one after another."""
    since: float = field(default_factory=time.monotonic)

    def backoff(self) -> float:
        """Seconds to wait after one more failure."""
        self.tries += 1
        return BACKOFF[min(self.tries, len(BACKOFF)) - 1]

    @property
    def sendable(self) -> bool:
        return self.lookup or self.content is not None

    @property
    def being_built(self) -> bool:
        """Its content is being built."""
        return self.build is not None and not self.build.done()
