"""All lanes of a worker: those of its cards, which may come and go with the machines of a cluster, and the one beside
them. What runs in each can be interrupted here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..queue.model import Row
from .lanes import BESIDE, CardParts, Lane
from .rest import Rest
from .row_runner import RowRunner

REFUSALS_MAX = 1000
"""Rows that a card remembers to lack something for."""


class LaneSet:
    def __init__(
        self, cards: Sequence[CardParts], runner: Callable[[Lane, LaneSet], RowRunner], *, more: bool, draws: bool
    ) -> None:
        """``cards``: at least one, of this machine; the first shares with language models. ``runner`` makes what runs
        the rows of a lane. ``more``: cards of other machines may come. ``draws``: those of this one draw pictures."""
        several = len(cards) > 1 or more
        self._more = more
        self._runner = runner
        self.cards = [
            Lane(
                name=one.name,
                parts=one,
                first=one is cards[0],
                rest=Rest(one.name) if several else None,
                draws_pictures=draws,
            )
            for one in cards
        ]
        self.beside = Lane(name=BESIDE)
        self._rows = {lane.name: runner(lane, self) for lane in self.all}
        self._drew = {lane.name: time.monotonic() for lane in self.cards}

    @property
    def all(self) -> list[Lane]:
        """The cards, as the settings name them, and the lane beside them."""
        return [*self.cards, self.beside]

    @property
    def first(self) -> CardParts:
        """The card that language models share."""
        assert self.cards[0].parts is not None
        return self.cards[0].parts

    @property
    def share_rows(self) -> bool:
        """One card may leave a row to another one."""
        return self._more or len(self.cards) > 1

    @property
    def at_work(self) -> int:
        """Cards that neither rest nor are paused."""
        return sum(lane.draws and lane.draws_pictures for lane in self.cards)

    def rows(self, lane: Lane) -> RowRunner:
        return self._rows[lane.name]

    def wake(self) -> None:
        """Something was submitted, or became possible."""
        for lane in self.all:
            lane.wake.set()

    # ------------------------------------------------------------ when a card was of use

    def drew(self, lane: Lane) -> None:
        self._drew[lane.name] = time.monotonic()

    def last_drew(self, lane: Lane) -> float:
        """When the card's GPU process was last of use (``time.monotonic()``)."""
        return self._drew[lane.name]

    # ------------------------------------------------------------ cards of other machines

    def add(self, parts: CardParts, *, paused: bool) -> Lane:
        """One that has come while the worker runs."""
        lane = Lane(name=parts.name, parts=parts, rest=Rest(parts.name), paused=paused)
        self._rows[lane.name] = self._runner(lane, self)
        self.drew(lane)
        self.cards.append(lane)
        return lane

    async def end(self, lane: Lane) -> None:
        """Of one that is gone for good."""
        assert lane.parts is not None
        await lane.parts.pictures.drain()
        await lane.parts.gpu.stop()
        self.cards.remove(lane)
        del self._rows[lane.name], self._drew[lane.name]

    def refused(self, lane: Lane, row: Row) -> bool:
        """Its machine lacks what the row needs. Whether another card may have it."""
        if len(lane.refused) >= REFUSALS_MAX:
            lane.refused.clear()
        lane.refused.add(row.seq)
        self.wake()
        return any(row.seq not in other.refused for other in self.cards if other.draws_pictures)

    # ------------------------------------------------------------ what runs in them

    def interrupt(self, lanes: Sequence[Lane], which: Callable[[Row], bool]) -> bool:
        """Stops those of the rows that run, within a step; whether they are then cancelled or queued stands in them."""
        self.wake()
        found = [(lane, lane.current) for lane in lanes if lane.current is not None and which(lane.current.row)]
        for lane, current in found:
            current.interrupted = True
            (lane.parts or self.first).gpu.cancel(current.row.task_id)
            self._rows[lane.name].interrupt(current.row)
        return bool(found)

    async def clear(self, lanes: Sequence[Lane]) -> None:
        """What runs in those lanes goes back."""
        for lane in lanes:
            if not self.interrupt([lane], lambda row: True) or lane.parts is None:
                continue
            if lane.parts.gpu.info.state in ("starting", "loading"):
                # Neither can be interrupted, and both may take minutes; what they have done so far is lost anyway.
                await lane.parts.gpu.stop()

    def stop_rows(self) -> None:
        """The worker ends: what runs is interrupted, and nothing more begins."""
        for rows in self._rows.values():
            rows.stop()
        self.interrupt(self.all, lambda row: True)

    async def finished(self) -> None:
        """Waits for the loops that were begun, and for what they drew."""
        for lane in self.all:
            if lane.started:
                await lane.finished.wait()
        for lane in self.cards:
            assert lane.parts is not None
            await lane.parts.pictures.drain()
