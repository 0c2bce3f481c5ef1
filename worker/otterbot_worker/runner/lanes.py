"""The two lanes of the queue: one has the card, the other runs chat turns that need no card, at the same time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from ..queue.model import Kind, Row

LaneName = Literal["card", "beside"]


class WrongLane(Exception):
    """The turn now belongs to the other lane: give the row back as if it had never been claimed."""


@dataclass(kw_only=True)
class Current:
    """The row that a lane works on."""

    row: Row
    interrupted: bool = False


@dataclass(eq=False, kw_only=True)
class Lane:
    """Runs one row at a time. Each lane has its own event: with a shared one, a lane could clear it before the other
    sees it."""

    name: LaneName
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    current: Current | None = None
    started: bool = False
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    def skips(self, *, turns_need_card: bool) -> frozenset[Kind]:
        """Kinds of rows that are not for this lane."""
        if self.name == "beside":
            return frozenset(("image", "chat") if turns_need_card else ("image",))
        return frozenset() if turns_need_card else frozenset(("chat",))

    async def sleep(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.wake.wait()
        except TimeoutError:
            return
