"""The two lanes of the queue: one has the card, the other runs what needs no card at the same time: turns of chat,
descriptions, and prompts that a language model writes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..queue.model import Kind, Row, RowKind

LaneName = Literal["card", "beside"]


TALK: frozenset[RowKind] = frozenset(("chat", "prompt"))
"""Rows for a language model, which need the card together or not."""
LATER: frozenset[RowKind] = frozenset(("later",))
"""Rows that wait for another one of their job."""
_ROWS: Mapping[Kind, frozenset[RowKind]] = {
    "image": frozenset(("image",)),
    "chat": TALK,
    "describe": frozenset(("describe",)),
}


class WrongLane(Exception):
    """The row now belongs to the other lane: give it back as if it had never been claimed."""


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

    def skips(self, needs_card: Mapping[Kind, bool]) -> frozenset[RowKind]:
        """What is not for this lane."""
        others = [rows for kind, rows in _ROWS.items() if needs_card[kind] != (self.name == "card")]
        return LATER.union(*others)

    async def sleep(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.wake.wait()
        except TimeoutError:
            return
