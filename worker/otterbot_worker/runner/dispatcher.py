"""The loops that run the queue, one row at a time each: one has the card, the other runs turns that need none.

A loop ends in three ways only: ``stop`` (what runs goes back to the queue), a broken database or a bug (the exception
leaves ``run``, and the process ends loudly). Everything that a single row can do wrong ends that row. A full disk is
waited for (``queue.disk``).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import get_args

from ..archive import Archive
from ..gpu.process import GpuProcess
from ..queue import disk, schedule
from ..queue.model import Kind, Row, RowKind, StoredJob
from ..schemas.jobs import Pause
from . import eta
from .descriptions import DescriptionRunner
from .expansions import PromptRunner
from .held import HeldRows
from .holds import Holds
from .lanes import TALK, Current, Lane, LaneName, WrongLane
from .pausing import Pausing
from .pictures import FULL_DISK_SECONDS, PictureRunner
from .row_runner import RowRunner
from .runner_common import Shared, worker_restarts
from .turns import TurnRunner

log = logging.getLogger(__name__)

KINDS: tuple[Kind, ...] = get_args(Kind)


class Dispatcher:
    def __init__(
        self,
        shared: Shared,
        *,
        gpu: GpuProcess,
        archive: Archive,
        pictures: PictureRunner,
        turns: TurnRunner,
        descriptions: DescriptionRunner,
        prompts: PromptRunner,
        bounds: schedule.Bounds,
        idle_unload: float = 0.0,
    ) -> None:
        """``idle_unload``: seconds without a picture after which the GPU process ends; 0: never."""
        self._store = shared.store
        self._card = shared.card
        self._live = shared.live
        self._listener = shared.listener
        self._measures = shared.measures
        self._gpu = gpu
        self._pictures = pictures
        self._turns = turns
        self._descriptions = descriptions
        self._bounds = bounds
        self._costs = eta.Costs(shared.speeds)
        self._idle_unload = idle_unload
        self._drew = time.monotonic()
        """When the GPU process was last of use."""
        self._lanes: dict[LaneName, Lane] = {"card": Lane(name="card"), "beside": Lane(name="beside")}
        self._needs_card: dict[Kind, bool] = {"image": True, "chat": turns.needs_card, "describe": True}
        """As far as is known: a backend may choose anew before each turn."""
        self._holds = Holds(archive)
        self._alone = HeldRows()
        self._pausing = Pausing(shared.store, shared.listener)
        self._rows = RowRunner(
            shared,
            pictures=pictures,
            turns=turns,
            descriptions=descriptions,
            prompts=prompts,
            holds=self._holds,
            alone=self._alone,
        )
        self._stopping = False

    # ------------------------------------------------------------ what others may ask

    @property
    def pause_state(self) -> Pause:
        return self._pausing.state

    @property
    def obstacles(self) -> dict[Kind, str]:
        """Why pictures or turns cannot run now, as sentences."""
        return self._holds.reasons

    def wake(self) -> None:
        """Something was submitted, or became possible."""
        for lane in self._lanes.values():
            lane.wake.set()

    async def recover(self) -> None:
        """Before ``run``: rows that ran when the last worker ended go back, and a pause goes on."""
        for death in await self._store.worker_restarted(worker_restarts(), time.time()):
            log.warning("taken up again after a restart", extra={"job": death.job_id, "given_up": death.final})
        await self._pausing.recover()

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
        self._interrupt(lambda row: row.seq in ended)
        if rows:
            self._listener.job_changed(job.client, job.id)
            self._listener.queue_moved()
        return bool(rows)

    async def pause(self, until: float | None) -> Pause:
        """Frees the card in seconds; what runs is drawn again afterwards. ``until``: Unix time, ``None``: for good."""
        await self._set_pause(Pause(paused=True, until=until))
        if self._interrupt(lambda row: True) and self._gpu.info.state in ("starting", "loading"):
            # Neither can be interrupted, and both may take minutes; what they have done so far is lost anyway.
            await self._gpu.stop()
        return self._pausing.state

    async def resume(self) -> Pause:
        await self._set_pause(Pause(paused=False))
        return self._pausing.state

    async def stop(self) -> None:
        """Leaves the running row queued, the drawn ones archived, and the card free."""
        self._stopping = True
        self._rows.stop()
        self.wake()
        self._interrupt(lambda row: True)
        await self._gpu.stop()
        for lane in self._lanes.values():
            if lane.started:
                await lane.finished.wait()
        await self._pictures.drain()
        await self._gpu.stop()

    # ------------------------------------------------------------ the loops

    async def run(self, name: LaneName = "card") -> None:
        """Until `stop`; both loops have to run."""
        lane = self._lanes[name]
        lane.started = True
        try:
            while not self._stopping:
                lane.wake.clear()
                try:
                    row = await (self._next(lane) if name == "card" else self._next_beside(lane))
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

    async def _next(self, lane: Lane) -> Row | None:
        """The next row, claimed; ``None`` after a rest without one."""
        await self._end_of_pause(lane)
        if self._pausing.state.paused:
            await self._rest_paused(lane)
            return None
        row = await self._claim(lane)
        if row is None:
            await self._unload_when_idle()
            await lane.sleep(self._next_look())
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
        held = self._held() | lane.skips(self._needs_card)
        heads = [head for head in await self._store.heads() if not self._alone.holds(head.seq)]
        if not heads:
            return None
        choice = schedule.choose(
            heads,
            on_card=self._on_card(lane),
            served=await self._store.served(),
            now=time.time(),
            bounds=self._bounds,
            costs=self._costs,
            skip=held,
        )
        if choice is None or self._stopping or self._pausing.state.paused:
            return None
        kind = next(head.kind for head in heads if head.seq == choice.seq)
        # A prompt that is written beside a picture takes nobody's turn.
        served = kind != "prompt" or lane.name == "card"
        row = await self._store.claim(choice.seq, choice.overtaken, time.time(), seconds=choice.seconds, served=served)
        if row is not None and row.attempt == 1 and row.claimed_at is not None:
            self._measures.waits.labels(row.kind).observe(max(0.0, row.claimed_at - row.created_at))
        return row

    def _on_card(self, lane: Lane) -> schedule.OnCard:
        if lane.name == "beside":
            return schedule.OnCard(beside=True)
        return schedule.OnCard(image=self._card.resident, chat=self._card.holder in ("chat", "both"))

    def _held(self) -> frozenset[RowKind]:
        """No prompt is written for pictures that cannot be drawn."""
        held = self._holds.now(FULL_DISK_SECONDS)
        return held | {"prompt"} if "image" in held else frozenset(held)

    async def _run(self, lane: Lane, row: Row) -> None:
        # First of all, so that a cancel from here on finds it; the row runner then looks whether one came before.
        lane.current = current = Current(row=row, interrupted=self._stopping or self._pausing.state.paused)
        try:
            await self._rows.run(current, with_card=lane.name == "card")
        except WrongLane:
            self._needs_card["chat" if row.kind in TALK else row.job_kind] = lane.name == "beside"
            self.wake()  # in any case: the other lane may have looked while the row was in this one
        finally:
            lane.current = None
            if row.kind not in TALK:
                self._drew = time.monotonic()
            if row.kind == "prompt":
                self.wake()  # its pictures wait now

    def _interrupt(self, which: Callable[[Row], bool]) -> bool:
        """Stops those of the rows that run, within a step; whether they are then cancelled or queued stands in them."""
        self.wake()
        found = [one for lane in self._lanes.values() if (one := lane.current) is not None and which(one.row)]
        for current in found:
            current.interrupted = True
            self._gpu.cancel(current.row.task_id)
            self._rows.interrupt(current.row)
        return bool(found)

    # ------------------------------------------------------------ why nothing runs

    def _next_look(self) -> float | None:
        moments = self._holds.moments + self._alone.moments
        if self._idle_unload and self._gpu.pid is not None:
            moments.append(self._drew + self._idle_unload)
        return max(0.05, min(moments) - time.monotonic()) if moments else None

    async def _unload_when_idle(self) -> None:
        """A process that draws nothing is of no use to anybody else on the machine."""
        if self._idle_unload and self._gpu.pid is not None and time.monotonic() >= self._drew + self._idle_unload:
            await self._card.unload()
            log.info("no picture for a while: the model is unloaded, card and memory are free")

    # ------------------------------------------------------------ pause

    async def _set_pause(self, pause: Pause) -> None:
        await self._pausing.set(pause)
        self.wake()

    async def _end_of_pause(self, lane: Lane) -> None:
        if self._pausing.is_over:
            await self._set_pause(Pause(paused=False))
            lane.wake.clear()

    async def _rest_paused(self, lane: Lane) -> None:
        if self._gpu.pid is not None or self._card.holder is not None:
            await self._card.free()
        await lane.sleep(self._pausing.rest)
