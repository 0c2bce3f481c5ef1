"""Wake-up signals between parts that do not know each other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


class Bell:
    """Wakes all who wait for it now, and nobody later."""

    def __init__(self) -> None:
        self.next = asyncio.Event()
        """Set at the next ring. Take it before checking a condition, so that no ring is missed."""

    def ring(self) -> None:
        self.next.set()
        self.next = asyncio.Event()


@dataclass(frozen=True, kw_only=True)
class Signals:
    """One per delivery."""

    submit: Bell = field(default_factory=Bell)
    """The worker is back, or something ended: kept requests are submitted at once."""
    housekeeping: asyncio.Event = field(default_factory=asyncio.Event)
    """There may be deferred work. Housekeeping clears it."""
