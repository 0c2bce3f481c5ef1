"""The loops that run the queue, one row at a time each: one for each card, and one for turns that need none.

A loop ends in three ways only: ``stop`` (what runs goes back to the queue), a broken database or a bug (the exception
leaves ``run``, and the process ends loudly). Everything that a single row can do wrong ends that row. A full disk is
waited for (``queue.disk``).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import get_args

from ..archive import Archive
from ..gpu import driver
from ..queue import disk, schedule
from ..queue.model import Kind, Row, RowKind, StoredJob
from ..schemas.jobs import Pause
from .claims import Claims
from .descriptions import DescriptionRunner
from .expansions import PromptRunner
from .held import HeldRows
from .holds import Holds
from .lane_set import LaneSet
from .lanes import TALK, CardParts, Lane
from .pausing import Pausing
from .row_runner import RowRunner
from .runner_common import Shared, WrongLane, worker_restarts
from .turns import TurnRunner

log = logging.getLogger(__name__)

KINDS: tuple[Kind, ...] = get_args(Kind)
NO_MACHINE = "No machine of the Ray cluster can draw now."


class Dispatcher:
    def __init__(
        self,
        shared: Shared,
        *,
        cards: Sequence[CardParts],
        archive: Archive,
        turns: TurnRunner,
        descriptions: DescriptionRunner,
        prompts: PromptRunner,
        bounds: schedule.Bounds,
        more: bool = False,
        draws: bool = True,
        idle_unload: float = 0.0,
    ) -> None:
        """``cards``: at least one, of this machine; the first shares with language models. ``more``: cards of other
        machines may come. ``draws``: those of this one draw pictures. ``idle_unload``: seconds without a picture after
        which a GPU process ends; 0: never."""
        self._store = shared.store
        self._live = shared.live
        self._listener = shared.listener
        self._measures = shared.measures
        self._turns = turns
        self._descriptions = descriptions
        self._idle_unload = idle_unload
        self._needs_card: dict[Kind, bool] = {"image": True, "chat": turns.needs_card, "describe": True}
        """As far as is known: a backend may choose anew before each turn."""
        self._holds = Holds(archive)
        self._alone = HeldRows()
        self._pausing = Pausing(shared.store, shared.listener)

        def runner(lane: Lane, lanes: LaneSet) -> RowRunner:
            return RowRunner(
                shared,
                pictures=(lane.parts or cards[0]).pictures,
                turns=turns,
                descriptions=descriptions,
                prompts=prompts,
                holds=self._holds,
                alone=self._alone,
                rest=lane.rest,
                refused=lambda row: lanes.refused(lane, row),
            )

        self._lanes = LaneSet(cards, runner, more=more, draws=draws)
        self._claims = Claims(
            shared, self._lanes.cards, bounds=bounds, holds=self._holds, alone=self._alone, needs_card=self._needs_card
        )
        self._stopping = False
        self.cluster: str | None = None
        """What is wrong with the cluster that more cards are in, as a sentence."""

    # ------------------------------------------------------------ what others may ask

    @property
    def lanes(self) -> list[Lane]:
        """The cards, as the settings name them, and the lane beside them."""
        return self._lanes.all

    @property
    def cards_at_work(self) -> int:
        """Cards that neither rest nor are paused."""
        return self._lanes.at_work

    @property
    def pause_state(self) -> Pause:
        return self._pausing.state

    @property
    def obstacles(self) -> dict[Kind, str]:
        """Why pictures or turns cannot run now, as sentences."""
        found = self._holds.reasons
        reasons = [lane.why_not for lane in self._lanes.cards if lane.draws_pictures]
        if not reasons:
            found.setdefault("image", self.cluster or NO_MACHINE)
        elif (why := reasons[0]) is not None and None not in reasons:
            found.setdefault("image", f"All cards rest for a while. {why}")
        return found

    def wake(self) -> None:
        """Something was submitted, or became possible."""
        self._lanes.wake()

    def add(self, parts: CardParts) -> Lane:
        """A card of another machine, which has come while the worker runs; its loop is to be run."""
        return self._lanes.add(parts, paused=parts.name in self._pausing.lanes)

    def remove(self, lane: Lane) -> None:
        """It will not come again: its loop ends when its row has."""
        lane.gone = True
        lane.wake.set()

    async def recover(self) -> None:
        """Before ``run``: rows that ran when the last worker ended go back, and a pause goes on."""
        for death in await self._store.worker_restarted(worker_restarts(), time.time()):
            log.warning("taken up again after a restart", extra={"job": death.job_id, "given_up": death.final})
        await self._pausing.recover()
        for lane in self._lanes.cards:
            lane.paused = lane.name in self._pausing.lanes

    async def cancel(self, job: StoredJob) -> bool:
        """Cancels what is not final of a job; ``False``: nothing was left to cancel. Of an answer that grows, what has
        come stays."""
        came = self._turns.so_far(job.id)
        attempt, partial = (0, None) if came is None else came
        rows = await self._store.cancel(job.id, time.time(), attempt=attempt, partial=partial)
        for row in rows:
            self._live.forget(row.job_id, row.idx)
            self._measures.finished.labels(row.job_kind, "cancelled").inc()
        ended = {row.seq for row in rows}
        self._lanes.interrupt(self.lanes, lambda row: row.seq in ended)
        if rows:
            self._listener.job_changed(job.client, job.id)
            self._listener.queue_moved()
        return bool(rows)

    async def pause(self, until: float | None) -> Pause:
        """Frees the cards in seconds; what runs is drawn again afterwards. ``until``: Unix time, ``None``: for good."""
        await self._set_pause(Pause(paused=True, until=until))
        await self._lanes.clear(self.lanes)
        return self._pausing.state

    async def resume(self) -> Pause:
        await self._set_pause(Pause(paused=False))
        return self._pausing.state

    async def pause_lane(self, name: str, *, paused: bool) -> bool:
        """Frees one card while the others go on, or lets it go on. ``False``: there is no such card."""
        found = [lane for lane in self._lanes.cards if lane.name == name]
        if not found:
            return False
        await self._pausing.set_lane(name, paused=paused)
        found[0].paused = paused
        if paused:
            await self._lanes.clear(found)
        self.wake()
        return True

    async def stop(self) -> None:
        """Leaves the running rows queued, the drawn ones archived, and the cards free."""
        self._stopping = True
        self._lanes.stop_rows()
        await self._stop_processes()
        await self._lanes.finished()
        await self._stop_processes()

    async def _stop_processes(self) -> None:
        await asyncio.gather(*(lane.parts.gpu.stop() for lane in self._lanes.cards if lane.parts is not None))

    # ------------------------------------------------------------ the loops

    async def run(self, lane: Lane) -> None:
        """Until `stop`; the loops of all lanes have to run."""
        lane.started = True
        try:
            while not self._stopping and not lane.gone:
                lane.wake.clear()
                try:
                    row = await (self._next_beside(lane) if lane.parts is None else self._next(lane, lane.parts))
                except Exception as error:
                    if not disk.passes(error):
                        raise
                    await self._rest_until_disk(lane, error)
                    continue
                if row is not None:
                    await self._run(lane, row)
        except Exception as error:
            if not (self._stopping and disk.passes(error)):
                raise
            log.warning("what ran could not be given back at the end; the next start does it")
        finally:
            lane.finished.set()
            if lane.gone and not self._stopping:
                await self._lanes.end(lane)

    async def _next(self, lane: Lane, parts: CardParts) -> Row | None:
        """The next row, claimed; ``None`` after a rest without one."""
        await self._end_of_pause(lane)
        if self._pausing.state.paused or lane.paused:
            if parts.gpu.pid is not None or parts.card.holder is not None:
                await parts.card.free()
            await lane.sleep(self._pausing.rest if self._pausing.state.paused else None)
            return None
        if lane.rest is not None and parts.gpu.pid is not None and not parts.gpu.remote:
            lane.rest.cool(driver.overheated(parts.gpu.info.device))
        row = await self._claim(lane)
        if row is None:
            await self._unload_when_idle(lane, parts)
            await lane.sleep(self._next_look(lane, parts))
        return row

    async def _next_beside(self, lane: Lane) -> Row | None:
        """The next turn, prompt or description that needs no card. Whether they do is asked anew where one waits: their
        backend may have changed while a picture is drawn for minutes."""
        waiting: set[RowKind] = set()
        if not self._pausing.state.paused:
            waiting = {head.kind for head in await self._store.heads()} - {"image", "later"}
        if waiting:
            if waiting & TALK and self._needs_card["chat"]:
                self._now_needed("chat", await self._turns.would_need_card())
            if "describe" in waiting and self._needs_card["describe"]:
                self._now_needed("describe", await self._descriptions.would_need_card())
            row = await self._claim(lane)
            if row is not None:
                return row
        moments = self._holds.moments
        await lane.sleep(max(0.05, min(moments) - time.monotonic()) if moments else None)
        return None

    def _now_needed(self, kind: Kind, needed: bool) -> None:
        if needed != self._needs_card[kind]:
            self._needs_card[kind] = needed
            self.wake()

    async def _rest_until_disk(self, lane: Lane, error: Exception) -> None:
        log.error("%s", disk.REASON, exc_info=error)
        for kind in KINDS:
            self._holds.hold(kind, disk.REASON, disk.SECONDS[-1])
        await lane.sleep(disk.SECONDS[-1])

    async def _claim(self, lane: Lane) -> Row | None:
        return await self._claims.next(lane, stands=lambda: self._stopping or self._pausing.state.paused)

    async def _run(self, lane: Lane, row: Row) -> None:
        assert lane.current is not None
        # First of all: a cancel from now on finds it; the row runner then looks whether one came before.
        lane.current.interrupted |= self._stopping or self._pausing.state.paused or lane.paused
        try:
            await self._lanes.rows(lane).run(lane.current, with_card=lane.parts is not None)
        except WrongLane:
            self._needs_card["chat" if row.kind in TALK else row.job_kind] = lane.parts is None
            self.wake()  # in any case: the other lane may have looked while the row was in this one
        finally:
            lane.current = None
            if row.kind not in TALK and lane.parts is not None:
                self._lanes.drew(lane)
            if row.kind == "prompt" or self._lanes.share_rows:
                self.wake()  # its pictures wait now; or another card had left something to this one

    # ------------------------------------------------------------ why nothing runs

    def _next_look(self, lane: Lane, parts: CardParts) -> float | None:
        moments = self._holds.moments + self._alone.moments
        moments += [until for other in self._lanes.cards if other.rest is not None and (until := other.rest.until)]
        if self._idle_unload and parts.gpu.pid is not None:
            moments.append(self._lanes.last_drew(lane) + self._idle_unload)
        return max(0.05, min(moments) - time.monotonic()) if moments else None

    async def _unload_when_idle(self, lane: Lane, parts: CardParts) -> None:
        """A process that draws nothing is of no use to anybody else on the machine."""
        idle = self._idle_unload and parts.gpu.pid is not None
        if idle and time.monotonic() >= self._lanes.last_drew(lane) + self._idle_unload:
            await parts.card.unload()
            log.info("no picture for a while: the model is unloaded, card and memory are free")

    # ------------------------------------------------------------ pause

    async def _set_pause(self, pause: Pause) -> None:
        await self._pausing.set(pause)
        self.wake()

    async def _end_of_pause(self, lane: Lane) -> None:
        if self._pausing.is_over:
            await self._set_pause(Pause(paused=False))
            lane.wake.clear()
