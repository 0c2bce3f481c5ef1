"""Runs a claimed row to its end: it is done, failed or cancelled, or back in the queue, whatever happens on the way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..errors import Cancelled, JobFailed, ProcessDied
from ..gpu import deaths
from ..queue import disk
from ..queue.model import Row
from ..schemas.base import State
from ..schemas.jobs import Failure
from .descriptions import DescriptionRunner
from .expansions import PromptRunner
from .held import GAVE_UP, HeldRows
from .holds import Holds
from .lanes import Current
from .pictures import PictureRunner
from .rest import Rest
from .runner_common import HandBack, Shared, WrongLane, failure, internal, nodes_lost, poison
from .turns import TurnRunner
from .unbroken import unbroken

log = logging.getLogger(__name__)

T = TypeVar("T")

NODE_LOST = "node_lost"
"""Why a process died whose machine has gone."""
NODE_SECONDS = 30.0
"""Until a machine is tried again that was lost and never left its cluster."""


class RowRunner:
    """Of one lane. ``holds``, ``alone`` and ``rest``: what has to wait because of how a row ended."""

    def __init__(
        self,
        shared: Shared,
        *,
        pictures: PictureRunner,
        turns: TurnRunner,
        descriptions: DescriptionRunner,
        prompts: PromptRunner,
        holds: Holds,
        alone: HeldRows,
        rest: Rest | None = None,
        refused: Callable[[Row], bool] = lambda row: False,
    ) -> None:
        """``rest``: of the lane's card, where there are others. ``refused``: told that the card lacks what a row needs;
        whether another one may have it."""
        self._store = shared.store
        self._live = shared.live
        self._listener = shared.listener
        self._measures = shared.measures
        self._pictures = pictures
        self._turns = turns
        self._descriptions = descriptions
        self._prompts = prompts
        self._holds = holds
        self._alone = alone
        self._rest = rest
        self._refused = refused
        self._stopping = False

    def stop(self) -> None:
        """The worker ends: what the disk does not take is not waited for."""
        self._stopping = True
        self._turns.stop()
        self._descriptions.stop()
        self._prompts.stop()

    def interrupt(self, row: Row) -> None:
        """Stops what a language model or a captioner does for a row, if it runs."""
        self._turns.interrupt(row)
        self._descriptions.interrupt(row)
        self._prompts.interrupt(row)

    async def run(self, current: Current, *, with_card: bool) -> None:
        """``with_card``: in the lane that has the card. :raises WrongLane: it belongs to the other one, and is back in
        the queue"""
        row = current.row
        job, now = await self._surely(lambda: self._store.job(row.job_id)), await self._row(row)
        if job is None or now is None or now.state is not State.RUNNING:
            return
        self._listener.job_changed(row.client, row.job_id)
        self._listener.queue_moved()
        handed_over = False
        try:
            if row.kind == "image":
                await self._pictures.run(row, job, lambda: current.interrupted)
                handed_over = True
                if self._rest is not None:
                    self._rest.worked()
            elif row.kind == "prompt":
                await self._prompts.run(row, job, lambda: current.interrupted, with_card=with_card)
            elif row.kind == "chat":
                await self._turns.run(row, job, lambda: current.interrupted, with_card=with_card)
            else:
                await self._descriptions.run(row, job, lambda: current.interrupted, with_card=with_card)
        except WrongLane:
            await self._surely(lambda: self._store.give_back(row))
            raise
        except asyncio.CancelledError:
            await unbroken(self._store.give_back(row))
            raise
        except Exception as error:
            await self._ended(row, error)
        finally:
            if not handed_over:
                self._live.forget(row.job_id, row.idx)
                self._listener.job_changed(row.client, row.job_id)
            self._listener.queue_moved()

    async def _ended(self, row: Row, error: Exception) -> None:
        """What follows from how it ended."""
        match error:
            case HandBack():
                await self._handed_back(row, error)
            case Cancelled():
                # A row that was cancelled is final by now, and this does nothing; else it was a pause or the end.
                await self._surely(lambda: self._store.give_back(row))
            case ProcessDied():
                await self._died(row, error)
            case JobFailed():
                log.info("failed", extra={"job": row.job_id, "picture": row.idx, "code": error.code})
                await self._fail(row, failure(error))
            case _ if disk.passes(error):
                log.warning("the disk took nothing; handed back", extra={"job": row.job_id}, exc_info=error)
                self._holds.hold(row.job_kind, disk.REASON, disk.SECONDS[-1])
                await self._surely(lambda: self._store.give_back(row))
            case _:
                extra = {"job": row.job_id, "picture": row.idx}
                log.error("a row failed unexpectedly", extra=extra, exc_info=error)
                await self._fail(row, internal(row.job_kind))

    async def _handed_back(self, row: Row, back: HandBack) -> None:
        log.warning("handed back", extra={"job": row.job_id, "reason": back.reason})
        if back.lacks:
            if not self._refused(row):
                await self._fail(row, failure(JobFailed("model_missing", f"{back.reason} No other has it.")))
        elif back.card and self._rest is not None:
            self._rest.hold(back.reason, back.seconds)
            self._rest.failed(back.reason)
        elif not back.alone:
            self._holds.hold(row.job_kind, back.reason, back.seconds)
        elif not self._alone.hold(row.seq, back.seconds):
            await self._fail(row, failure(JobFailed("model_broken", f"{back.reason} {GAVE_UP}")))
        await self._surely(lambda: self._store.give_back(row))

    async def _died(self, row: Row, death: ProcessDied) -> None:
        if self._stopping or death.reason == "stopped":
            await self._surely(lambda: self._store.give_back(row))
            return
        if death.reason == NODE_LOST:
            made = await self._surely(lambda: self._store.node_lost(row, nodes_lost(), time.time()))
        else:
            made = await self._surely(lambda: self._store.gpu_died(row, poison(death, row.kind), time.time()))
        given_up = made is not None and made.final
        self._measures.gpu_deaths.inc()
        if self._rest is not None:
            self._rest.failed(deaths.sentence(death.reason))
            if death.reason == NODE_LOST:
                self._rest.hold(deaths.sentence(death.reason), NODE_SECONDS)
        if given_up:
            self._measures.finished.labels(row.job_kind, "failed").inc()
        log.warning(
            "the GPU process died during a picture",
            extra={"job": row.job_id, "picture": row.idx, "reason": death.reason, "given_up": given_up},
        )

    async def _row(self, row: Row) -> Row | None:
        return await self._surely(lambda: self._store.row(row.seq))

    async def _fail(self, row: Row, error: Failure) -> None:
        if await self._surely(lambda: self._store.fail(row, error, time.time())):
            self._measures.finished.labels(row.job_kind, "failed").inc()

    async def _surely(self, write: Callable[[], Awaitable[T]]) -> T:
        return await disk.surely(write, ended=lambda: self._stopping)
