"""Which row a lane takes next. The lanes choose one after another, so that each sees what the others have taken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from ..queue import schedule
from ..queue.model import Kind, Row, RowKind
from .eta import Costs
from .held import HeldRows
from .holds import Holds
from .lanes import Current, Lane
from .pictures import FULL_DISK_SECONDS
from .runner_common import Shared

DRAWS: frozenset[RowKind] = frozenset(("image", "describe"))
"""What needs the GPU process."""
NOTHING: frozenset[RowKind] = frozenset()


class Claims:
    def __init__(
        self,
        shared: Shared,
        cards: Sequence[Lane],
        *,
        bounds: schedule.Bounds,
        holds: Holds,
        alone: HeldRows,
        needs_card: Mapping[Kind, bool],
    ) -> None:
        """``cards``: the lanes that have one; ``needs_card`` may change."""
        self._store = shared.store
        self._live = shared.live
        self._measures = shared.measures
        self._speeds = shared.speeds
        self._cards = cards
        self._bounds = bounds
        self._holds = holds
        self._alone = alone
        self._needs_card = needs_card
        self._turn = asyncio.Lock()

    async def next(self, lane: Lane, *, stands: Callable[[], bool]) -> Row | None:
        """Claims the lane's next row, which is its current one from then on. ``stands``: whether none may be claimed
        any more."""
        async with self._turn:
            row = await self._claim(lane, stands)
            if row is not None:
                # Before another lane chooses, and so that a cancel from here on finds it.
                lane.current = Current(row=row)
        if row is not None and row.attempt == 1 and row.claimed_at is not None:
            self._measures.waits.labels(row.kind).observe(max(0.0, row.claimed_at - row.created_at))
        return row

    async def _claim(self, lane: Lane, stands: Callable[[], bool]) -> Row | None:
        held = self._held()
        heads = [head for head in await self._store.heads() if not self._alone.holds(head.seq) and lane.can(head)]
        if not heads:
            return None
        choice = schedule.choose(
            heads,
            on_card=lane.on_card,
            served=await self._store.served(),
            now=time.time(),
            bounds=self._bounds,
            costs=Costs(self._speeds if lane.parts is None else lane.parts.speeds),
            skip=held | lane.skips(self._needs_card) | (DRAWS if lane.resting else NOTHING),
            others=self._others(lane, held),
            card=lane.card_name,
        )
        if choice is None or stands() or lane.paused or lane.gone:
            return None
        kind = next(head.kind for head in heads if head.seq == choice.seq)
        # A prompt that is written beside a picture takes nobody's turn.
        served = kind != "prompt" or lane.parts is not None
        return await self._store.claim(choice.seq, choice.overtaken, time.time(), seconds=choice.seconds, served=served)

    def _others(self, lane: Lane, held: frozenset[RowKind]) -> list[schedule.Other]:
        """The cards to which a card may leave rows: those that neither rest nor are paused."""
        if lane.parts is None:
            return []
        return [
            other.seen(self._left(other), held | other.skips(self._needs_card))
            for other in self._cards
            if other is not lane and other.draws
        ]

    def _left(self, lane: Lane) -> float | None:
        """Seconds until the row of a lane is done, as far as that is known."""
        if lane.current is None:
            return None
        progress = self._live.get(lane.current.row.job_id, lane.current.row.idx)
        return None if progress is None else progress.eta_s

    def _held(self) -> frozenset[RowKind]:
        """No prompt is written for pictures that cannot be drawn."""
        held = self._holds.now(FULL_DISK_SECONDS)
        return held | {"prompt"} if "image" in held else frozenset(held)
