"""The two lanes of the queue: one has the card, in the other are turns and descriptions that need none, beside whatever
is drawn."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..queue.model import Kind, Row

LaneName = Literal["card", "beside"]


class WrongLane(Exception):
    """The row belongs into the other lane by now. It goes back as if it had never been claimed."""


@dataclass(kw_only=True)
class Current:
    """What a lane works on."""

    row: Row
    interrupted: bool = False


@dataclass(eq=False, kw_only=True)
class Lane:
    """One row at a time. Each has an event of its own: one that both cleared could be missed by either."""

    name: LaneName
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    current: Current | None = None
    started: bool = False
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    def skips(self, needs_card: Mapping[Kind, bool]) -> frozenset[Kind]:
        """What is not for this lane."""
        return frozenset(kind for kind, needed in needs_card.items() if needed != (self.name == "card"))

    async def sleep(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.wake.wait()
        except TimeoutError:
            return
