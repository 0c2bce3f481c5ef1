"""Calls to look again: rung by whoever changes something, answered by loops that need not know who rang."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


class Bell:
    """Wakes all who wait for it now, and nobody later."""

    def __init__(self) -> None:
        self.next = asyncio.Event()
        """Set at the next ring. Take it before looking, and nothing is missed."""

    def ring(self) -> None:
        self.next.set()
        self.next = asyncio.Event()


@dataclass(frozen=True, kw_only=True)
class Signals:
    """One per delivery."""

    submit: Bell = field(default_factory=Bell)
    """The worker is back, or something ended that others waited for: kept requests try at once."""
    housekeeping: asyncio.Event = field(default_factory=asyncio.Event)
    """Something is owed to the worker, or may be due. Housekeeping clears it."""
