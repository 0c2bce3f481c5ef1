"""One chat turn: asked of the chat backend, streamed to whoever listens, stored when it is done."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import cast

from ..chat import ChatBackend, ChatOutcome, Message, failures
from ..errors import Cancelled, JobFailed
from ..queue.disk import forgone, surely
from ..queue.model import Row, StoredJob
from ..schemas.jobs import ChatResult, Progress
from . import eta
from .runner_common import Shared, unbroken

log = logging.getLogger(__name__)


class TurnRunner:
    def __init__(self, shared: Shared, *, backend: ChatBackend | None) -> None:
        self._store = shared.store
        self._card = shared.card
        self._live = shared.live
        self._speeds = shared.speeds
        self._listener = shared.listener
        self._measures = shared.measures
        self._backend = backend
        self._answer: asyncio.Task[ChatOutcome] | None = None
        self._expected_at: float | None = None
        self._stopping = False

    async def run(self, row: Row, job: StoredJob, interrupted: Callable[[], bool]) -> None:
        """Runs a claimed turn to its end.

        :raises JobFailed: :raises Cancelled:
        """
        if self._backend is None:
            raise failures.switched_off()
        if job.content is None:
            raise JobFailed("forgotten", "What was said is not kept any more; please ask again.")
        expected = self._speeds.get(eta.turn_name(row.model))
        self._expected_at = None if expected is None else time.monotonic() + expected
        self._progress(row, "starting")
        if self._backend.capabilities.needs_card:
            await self._card.for_chat()
        if interrupted():
            raise Cancelled
        messages = [cast(Message, message) for message in job.content]
        self._answer = asyncio.create_task(
            self._backend.chat(
                row.model or None,
                messages,
                on_text=lambda text: self._text(row, text),
                on_phase=lambda phase: self._progress(row, phase),
            ),
            name=f"chat {row.task_id}",
        )
        try:
            outcome = await self._finished(self._answer)
        finally:
            self._answer = None
        await unbroken(self._succeed(row, outcome))

    def stop(self) -> None:
        """The worker ends: an answer that the disk does not take is not waited for."""
        self._stopping = True

    def interrupt(self) -> None:
        """Stops the running turn, if there is one."""
        if self._answer is not None:
            self._answer.cancel()

    async def _finished(self, answer: asyncio.Task[ChatOutcome]) -> ChatOutcome:
        """The answer. Tells a turn that was interrupted from a dispatcher that is."""
        try:
            await asyncio.wait([answer])
        except asyncio.CancelledError:
            answer.cancel()
            await asyncio.wait([answer])
            raise
        if answer.cancelled():
            raise Cancelled
        return answer.result()

    async def _succeed(self, row: Row, outcome: ChatOutcome) -> None:
        result = ChatResult(
            text=outcome.text,
            model=outcome.model,
            complete=outcome.complete,
            took=round(outcome.took, 3),
            notes=outcome.notes,
        )
        told = result.model_dump(mode="json")
        if not await surely(lambda: self._store.succeed(row, told, None, time.time()), ended=lambda: self._stopping):
            return
        log.info("chat answered", extra={"job": row.job_id, "took": outcome.took, "complete": outcome.complete})
        self._measures.finished.labels("chat", "succeeded").inc()
        self._measures.turn_seconds.observe(outcome.took)
        for name in {eta.turn_name(row.model), eta.turn_name(outcome.model)}:
            with forgone():
                await self._store.set_speed(name, *self._speeds.add(name, outcome.took))

    def _text(self, row: Row, text: str) -> None:
        self._live.text[row.job_id] = text
        self._listener.chat_text(row.client, row.job_id, row.attempt, text)

    def _progress(self, row: Row, phase: str) -> None:
        left = None if self._expected_at is None else round(max(0.0, self._expected_at - time.monotonic()), 1)
        progress = Progress.model_validate({"phase": phase, "attempt": row.attempt, "eta_s": left})
        self._live.put(row.job_id, row.idx, progress)
        self._listener.progressed(row.client, row.job_id, row.idx, progress)
