"""The loops that run the queue, one row at a time each: one has the card, the other runs turns that need none.

A loop ends in three ways only: ``stop`` (what runs goes back to the queue), a broken database or a bug (the exception
leaves ``run``, and the process ends loudly). Everything that a single row can do wrong ends that row. A full disk is
waited for (``queue.disk``).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, get_args

from ..archive import Archive
from ..errors import Cancelled, JobFailed, ProcessDied
from ..gpu.process import GpuProcess
from ..queue import disk, schedule
from ..queue.model import Kind, Row, RowKind, StoredJob
from ..schemas.base import State
from ..schemas.jobs import Failure, Pause
from .expansions import PromptRunner
from .held import GAVE_UP, HeldRows
from .holds import Holds
from .lanes import TALK, Current, Lane, LaneName, WrongLane
from .pausing import Pausing
from .pictures import FULL_DISK_SECONDS, PictureRunner
from .runner_common import HandBack, Shared, failure, internal, poison, worker_restarts
from .turns import TurnRunner
from .unbroken import unbroken

log = logging.getLogger(__name__)

T = TypeVar("T")
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
        self._prompts = prompts
        self._bounds = bounds
        self._idle_unload = idle_unload
        self._drew = time.monotonic()
        """When the GPU process was last of use."""
        self._lanes: dict[LaneName, Lane] = {"card": Lane(name="card"), "beside": Lane(name="beside")}
        self._turns_need_card = turns.needs_card
        """As far as is known: a backend may choose anew before each turn."""
        self._holds = Holds(archive)
        self._alone = HeldRows()
        self._pausing = Pausing(shared.store, shared.listener)
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
        self._turns.stop()
        self._prompts.stop()
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
        """The next turn that needs no card. Whether turns do is asked anew where one waits: their backend may have
        changed while a picture is drawn for minutes."""
        if not self._pausing.state.paused and any(head.kind in TALK for head in await self._store.heads()):
            if self._turns_need_card:
                self._now_needed(await self._turns.would_need_card())
            row = await self._claim(lane)
            if row is not None:
                return row
        moments = self._holds.moments
        await lane.sleep(max(0.05, min(moments) - time.monotonic()) if moments else None)
        return None

    def _now_needed(self, needed: bool) -> None:
        if needed != self._turns_need_card:
            self._turns_need_card = needed
            self.wake()

    async def _rest_until_disk(self, lane: Lane, error: Exception) -> None:
        log.error("%s", disk.REASON, exc_info=error)
        for kind in KINDS:
            self._holds.hold(kind, disk.REASON, disk.SECONDS[-1])
        await lane.sleep(disk.SECONDS[-1])

    async def _surely(self, write: Callable[[], Awaitable[T]]) -> T:
        return await disk.surely(write, ended=lambda: self._stopping)

    async def _claim(self, lane: Lane) -> Row | None:
        held = self._held() | lane.skips(turns_need_card=self._turns_need_card)
        heads = [head for head in await self._store.heads() if not self._alone.holds(head.seq)]
        if not heads:
            return None
        choice = schedule.choose(
            heads,
            resident=self._card.resident,
            chatting=lane.name == "card" and self._card.holder in ("chat", "both"),
            served=await self._store.served(),
            now=time.time(),
            bounds=self._bounds,
            skip=held,
        )
        if choice is None or self._stopping or self._pausing.state.paused:
            return None
        kind = next(head.kind for head in heads if head.seq == choice.seq)
        # A prompt that is written beside a picture takes nobody's turn.
        served = kind != "prompt" or lane.name == "card"
        return await self._store.claim(choice.seq, choice.overtaken, time.time(), served=served)

    def _held(self) -> frozenset[RowKind]:
        """No prompt is written for pictures that cannot be drawn."""
        held = self._holds.now(FULL_DISK_SECONDS)
        return held | {"prompt"} if "image" in held else frozenset(held)

    async def _run(self, lane: Lane, row: Row) -> None:
        # First of all, so that a cancel from here on finds it; then whether one came before.
        lane.current = current = Current(row=row, interrupted=self._stopping or self._pausing.state.paused)
        job, now = await self._surely(lambda: self._store.job(row.job_id)), await self._row(row)
        if job is None or now is None or now.state is not State.RUNNING:
            lane.current = None
            return
        self._listener.job_changed(row.client, row.job_id)
        self._listener.queue_moved()
        handed_over = False
        try:
            if row.kind == "image":
                await self._pictures.run(row, job, lambda: current.interrupted)
                handed_over = True
            elif row.kind == "prompt":
                await self._prompts.run(row, job, lambda: current.interrupted, with_card=lane.name == "card")
                self.wake()
            else:
                await self._turns.run(row, job, lambda: current.interrupted, with_card=lane.name == "card")
        except WrongLane:
            await self._surely(lambda: self._store.give_back(row))
            self._turns_need_card = lane.name == "beside"
            self.wake()  # in any case: the other lane may have looked while the row was in this one
        except HandBack as back:
            log.warning("handed back", extra={"job": row.job_id, "reason": back.reason})
            if not back.alone:
                self._holds.hold(row.job_kind, back.reason, back.seconds)
            elif not self._alone.hold(row.seq, back.seconds):
                await self._fail(row, failure(JobFailed("model_broken", f"{back.reason} {GAVE_UP}")))
            await self._surely(lambda: self._store.give_back(row))
        except Cancelled:
            # A row that was cancelled is final by now, and this does nothing; else it was a pause or the end.
            await self._surely(lambda: self._store.give_back(row))
        except ProcessDied as death:
            await self._died(row, death)
        except JobFailed as error:
            log.info("failed", extra={"job": row.job_id, "picture": row.idx, "code": error.code})
            await self._fail(row, failure(error))
        except asyncio.CancelledError:
            await unbroken(self._store.give_back(row))
            raise
        except Exception as error:
            if disk.passes(error):
                log.warning("the disk took nothing; handed back", extra={"job": row.job_id}, exc_info=error)
                self._holds.hold(row.job_kind, disk.REASON, disk.SECONDS[-1])
                await self._surely(lambda: self._store.give_back(row))
                return
            log.exception("a row failed unexpectedly", extra={"job": row.job_id, "picture": row.idx})
            await self._fail(row, internal(row.job_kind))
        finally:
            lane.current = None
            if row.kind == "image":
                self._drew = time.monotonic()
            if not handed_over:
                self._live.forget(row.job_id, row.idx)
                self._listener.job_changed(row.client, row.job_id)
            self._listener.queue_moved()

    async def _row(self, row: Row) -> Row | None:
        return await self._surely(lambda: self._store.row(row.seq))

    async def _fail(self, row: Row, error: Failure) -> None:
        if await self._surely(lambda: self._store.fail(row, error, time.time())):
            self._measures.finished.labels(row.job_kind, "failed").inc()

    async def _died(self, row: Row, death: ProcessDied) -> None:
        if self._stopping or death.reason == "stopped":
            await self._surely(lambda: self._store.give_back(row))
            return
        made = await self._surely(lambda: self._store.gpu_died(row, poison(death), time.time()))
        given_up = made is not None and made.final
        self._measures.gpu_deaths.inc()
        if given_up:
            self._measures.finished.labels(row.job_kind, "failed").inc()
        log.warning(
            "the GPU process died during a picture",
            extra={"job": row.job_id, "picture": row.idx, "reason": death.reason, "given_up": given_up},
        )

    def _interrupt(self, which: Callable[[Row], bool]) -> bool:
        """Stops those of the rows that run, within a step; whether they are then cancelled or queued stands in them."""
        self.wake()
        found = [one for lane in self._lanes.values() if (one := lane.current) is not None and which(one.row)]
        for current in found:
            current.interrupted = True
            self._gpu.cancel(current.row.task_id)
            self._turns.interrupt(current.row)
            self._prompts.interrupt(current.row)
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
