"""The lanes of the queue: each card is one, and one more runs what needs no card at the same time: turns of chat,
descriptions, and prompts that a language model writes.

Language models and the captioner share the first card alone; the others draw.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..gpu.process import GpuProcess
from ..queue import schedule
from ..queue.heads import Head
from ..queue.model import Kind, Row, RowKind
from .eta import Costs, Speeds
from .lease import Card
from .pictures import PictureRunner
from .rest import Rest

TALK: frozenset[RowKind] = frozenset(("chat", "prompt"))
"""Rows for a language model, which need the card together or not."""
LATER: frozenset[RowKind] = frozenset(("later",))
"""Rows that wait for another one of their job."""
_ROWS: Mapping[Kind, frozenset[RowKind]] = {
    "image": frozenset(("image",)),
    "chat": TALK,
    "describe": frozenset(("describe",)),
}
BESIDE = "beside"
"""The name of the lane without a card."""


@dataclass(kw_only=True)
class Current:
    """The row that a lane works on."""

    row: Row
    interrupted: bool = False


@dataclass(frozen=True, kw_only=True)
class CardParts:
    """What belongs to one card."""

    name: str
    """As the settings name it: ``cuda:1``."""
    gpu: GpuProcess
    card: Card
    """Its lease."""
    pictures: PictureRunner
    speeds: Speeds


@dataclass(eq=False, kw_only=True)
class Lane:
    """Runs one row at a time. Each lane has its own event: with a shared one, a lane could clear it before another one
    sees it."""

    name: str
    parts: CardParts | None = None
    """``None``: it is the one without a card."""
    first: bool = False
    rest: Rest | None = None
    """``None``: it is the only card, which never rests, or none at all."""
    paused: bool = False
    """Alone: the other lanes go on."""
    draws_pictures: bool = True
    away: str | None = None
    """It is on a machine that is not there now: why, as a sentence."""
    has: frozenset[str] | None = None
    """The models of its machine; ``None``: those of the worker."""
    refused: set[int] = field(default_factory=set)
    """Rows for which its machine lacks something else."""
    gone: bool = False
    """It is to end for good."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    current: Current | None = None
    started: bool = False
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def why_not(self) -> str | None:
        """Why it draws nothing for a while, as a sentence."""
        return self.away or (None if self.rest is None else self.rest.reason)

    @property
    def resting(self) -> bool:
        """It draws nothing for a while; the first one still talks, which needs no GPU process."""
        return self.why_not is not None

    @property
    def draws(self) -> bool:
        return not self.paused and not self.resting

    def skips(self, needs_card: Mapping[Kind, bool]) -> frozenset[RowKind]:
        """What is not for this lane."""
        if self.parts is not None and not self.first:
            return LATER | TALK | _ROWS["describe"]
        others = [rows for kind, rows in _ROWS.items() if needs_card[kind] != (self.parts is not None)]
        return LATER.union(*others, () if self.draws_pictures else _ROWS["image"])

    def can(self, head: Head) -> bool:
        """Whether its machine has what the row needs, as far as is known."""
        return head.kind != "image" or (head.seq not in self.refused and (self.has is None or head.model in self.has))

    @property
    def on_card(self) -> schedule.OnCard:
        """What is loaded now; while a picture is drawn, what it needs."""
        if self.parts is None:
            return schedule.OnCard(beside=True)
        card = self.parts.card
        drawn = self.current.row.model if self.current is not None and self.current.row.kind == "image" else None
        return schedule.OnCard(image=drawn or card.resident, chat=card.holder in ("chat", "both"))

    @property
    def card_name(self) -> str:
        """As records have it; empty before its GPU process has said so."""
        return "" if self.parts is None else self.parts.gpu.info.name

    def seen(self, left: float | None, skip: frozenset[RowKind]) -> schedule.Other:
        """As another lane sees it. ``left``: seconds until its row is done, as far as that is known."""
        assert self.parts is not None, "rows are left to cards"
        costs, free_in = Costs(self.parts.speeds), 0.0
        if self.current is not None:
            row = self.current.row
            load = 0.0 if self.parts.card.resident == row.model else costs.load(row.kind, row.model)
            free_in = load + costs.row(row.kind, row.model, row.work) if left is None else left
        return schedule.Other(
            free_in=free_in, on_card=self.on_card, costs=costs, skip=skip, can=self.can, card=self.card_name
        )

    async def sleep(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.wake.wait()
        except TimeoutError:
            return
