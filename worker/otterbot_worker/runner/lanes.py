"""The two lanes of the queue: one has the card, the other runs chat turns that need no card, at the same time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from ..queue.model import Row, RowKind

LaneName = Literal["card", "beside"]


TALK: frozenset[RowKind] = frozenset(("chat", "prompt"))
"""What a language model does."""
DRAWING: frozenset[RowKind] = frozenset(("image",))
LATER: frozenset[RowKind] = frozenset(("later",))


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

    def skips(self, *, turns_need_card: bool) -> frozenset[RowKind]:
        """What is not for this lane."""
        if self.name == "beside":
            return LATER | DRAWING | (TALK if turns_need_card else frozenset())
        return LATER if turns_need_card else LATER | TALK

    async def sleep(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.wake.wait()
        except TimeoutError:
            return
