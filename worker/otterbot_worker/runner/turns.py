"""One chat turn: asked of the chat backend, streamed to whoever listens, stored when it is done."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..chat import NO_WISHES, ChatBackend, ChatOutcome, Message, Wishes, failures, left_out_note
from ..errors import Cancelled, JobFailed
from ..inputs.files import InputFiles
from ..queue.disk import forgone, surely
from ..queue.model import Row, StoredJob
from ..schemas.jobs import ChatResult, Drawing, Progress, TokenUsage
from ..schemas.resolved import ResolvedChat
from . import drawings, eta
from .interruptible import Interruptible
from .introductions import Introductions
from .pace import Pace
from .runner_common import Shared, WrongLane
from .unbroken import unbroken

log = logging.getLogger(__name__)

UNSEEN = "A picture of this conversation is not on the worker any more, so the model did not see it."


@dataclass(frozen=True, kw_only=True)
class _Running:
    row: Row
    since: float
    """``time.monotonic()``."""


class TurnRunner:
    def __init__(self, shared: Shared, *, backend: ChatBackend | None, inputs: InputFiles) -> None:
        """``inputs``: the pictures that conversations show."""
        self._store = shared.store
        self._card = shared.card
        self._live = shared.live
        self._speeds = shared.speeds
        self._listener = shared.listener
        self._measures = shared.measures
        self._backend = backend
        self._inputs = inputs
        self._answers = Interruptible[ChatOutcome]("chat")
        self._running: dict[str, _Running] = {}
        """By job: the turns that are being answered."""
        self._introductions = Introductions(shared.store)
        self._stopping = False

    @property
    def needs_card(self) -> bool:
        """Whether turns need the card, as far as that is known without asking."""
        return self._backend is None or self._backend.capabilities.needs_card

    async def would_need_card(self) -> bool:
        """Whether a turn that began now would."""
        return self._backend is None or (await self._backend.for_turn()).capabilities.needs_card

    async def run(self, row: Row, job: StoredJob, interrupted: Callable[[], bool], *, with_card: bool) -> None:
        """Runs a claimed turn to its end; ``with_card``: in the lane that has the card.

        :raises JobFailed: :raises Cancelled: :raises WrongLane:
        """
        if self._backend is None:
            raise failures.switched_off()
        if job.content is None:
            raise JobFailed("forgotten", "What was said is not kept any more; please ask again.")
        progress = self._reporter(row)
        progress("starting")
        backend = await self._backend.for_turn()
        if backend.capabilities.needs_card != with_card:
            raise WrongLane
        loads = with_card and await self._card.for_chat(_model(row, job))
        if interrupted():
            raise Cancelled
        messages, unseen = await self._messages(job)
        self._running[row.job_id] = _Running(row=row, since=time.monotonic())
        try:
            outcome = await self._answers.run(
                row, self._answer(row, job, messages, backend, progress, load_beside=loads)
            )
        finally:
            del self._running[row.job_id]
        drawing, notes = drawings.asked(outcome.calls)
        if drawing is None and not outcome.text:
            raise failures.empty(thought=False, cut=False)
        said = await self._introductions.of(job, backend, outcome.model)
        told = isinstance(job.request, ResolvedChat) and job.request.left_out_told
        left_out = [left_out_note(outcome.left_out)] if outcome.left_out and not told else []
        outcome = replace(outcome, notes=[*left_out, *outcome.notes, *notes, *unseen, *said])
        await unbroken(self._succeed(row, outcome, drawing, left_out_told=told or outcome.left_out > 0))
        if with_card:
            await self._card.chatted(outcome.model)

    async def _answer(
        self,
        row: Row,
        job: StoredJob,
        messages: Sequence[Message],
        backend: ChatBackend,
        progress: Callable[[str], None],
        *,
        load_beside: bool,
    ) -> ChatOutcome:
        """``load_beside``: the model has to be loaded beside the image model first. :raises JobFailed:"""
        started, model, pace = time.monotonic(), _model(row, job), Pace(progress)
        notes = await self._card.load_beside(model, progress) if load_beside else []
        outcome = await backend.chat(
            model,
            messages,
            on_text=lambda text: self._text(row, text),
            on_phase=pace.on_phase,
            wishes=_wishes(job, backend),
        )
        pace.measure(outcome, self._measures)
        took = time.monotonic() - started if load_beside else outcome.took
        return replace(outcome, notes=[*notes, *outcome.notes], took=took)

    def so_far(self, job_id: str) -> tuple[int, ChatResult] | None:
        """The attempt of a turn that streams, and as a result what clients were shown of it; ``None``: nothing yet."""
        running, text = self._running.get(job_id), self._live.text.get(job_id, "")
        if running is None or not text.strip():
            return None
        took = round(time.monotonic() - running.since, 3)
        result = ChatResult(text=text, model=running.row.model, complete=False, took=took)
        return running.row.attempt, result

    async def _messages(self, job: StoredJob) -> tuple[list[Message], list[str]]:
        """The conversation with its pictures, and what is to be said of those that are not here any more."""
        shown = dict(zip(job.shown, await self._inputs.shown(job.client, job.shown), strict=True))
        messages: list[Message] = []
        for said in job.content or ():
            message: Message = {"role": said.role, "content": said.content}
            if images := [image for one in said.pictures if (image := shown.get(one)) is not None]:
                message["images"] = images
            messages.append(message)
        return messages, [UNSEEN] if None in shown.values() else []

    def stop(self) -> None:
        """The worker ends: an answer that the disk does not take is not waited for."""
        self._stopping = True

    def interrupt(self, row: Row) -> None:
        """Stops a turn, if it runs."""
        self._answers.interrupt(row)

    async def _succeed(self, row: Row, outcome: ChatOutcome, drawing: Drawing | None, *, left_out_told: bool) -> None:
        result = ChatResult(
            text=outcome.text,
            model=outcome.model,
            complete=outcome.complete,
            took=round(outcome.took, 3),
            notes=outcome.notes,
            draws=drawing,
            reasoning=outcome.reasoning,
            cut=outcome.cut,
            usage=_usage(outcome),
            seeing=list(outcome.seeing),
            left_out_told=left_out_told,
        )
        if not await surely(lambda: self._store.succeed(row, result, None, time.time()), ended=lambda: self._stopping):
            return
        log.info("chat answered", extra={"job": row.job_id, "took": outcome.took, "complete": outcome.complete})
        self._measures.finished.labels("chat", "succeeded").inc()
        self._measures.turn_seconds.observe(outcome.took)
        measured = {name: self._speeds.add(name, outcome.took) for name in _turn_names(row, outcome)}
        if (load := self._speeds.measured(eta.CHAT_LOAD)) is not None:
            measured[eta.CHAT_LOAD] = load
        for name, average in measured.items():
            with forgone():
                await self._store.set_speed(name, *average)

    def _text(self, row: Row, text: str) -> None:
        self._live.text[row.job_id] = text
        self._listener.chat_text(row.client, row.job_id, row.attempt, text)

    def _reporter(self, row: Row) -> Callable[[str], None]:
        expected = self._speeds.get(eta.turn_name(row.model))
        at = None if expected is None else time.monotonic() + expected
        loading: float | None = None

        def report(phase: str) -> None:
            nonlocal loading
            if loading is not None and phase in ("thinking", "streaming"):
                self._speeds.add(eta.CHAT_LOAD, time.monotonic() - loading)
            loading = time.monotonic() if phase == "loading" else None
            left = None if at is None else round(max(0.0, at - time.monotonic()), 1)
            progress = Progress.model_validate({"phase": phase, "attempt": row.attempt, "eta_s": left})
            self._live.put(row.job_id, row.idx, progress)
            self._listener.progressed(row.client, row.job_id, row.idx, progress)

        return report


def _turn_names(row: Row, outcome: ChatOutcome) -> set[str]:
    return {eta.turn_name(row.model), eta.turn_name(outcome.model)}


def _model(row: Row, job: StoredJob) -> str | None:
    """The model that somebody asked for; the default may be another one by now than when the turn was submitted."""
    named = not isinstance(job.request, ResolvedChat) or job.request.named
    return (row.model or None) if named else None


def _wishes(job: StoredJob, backend: ChatBackend) -> Wishes:
    """How words are chosen; a model that may draw is told how to ask for it, where its backend can."""
    if not isinstance(job.request, ResolvedChat):
        return NO_WISHES
    said = job.request.sampling.model_dump(exclude_none=True)
    return Wishes(
        tools=(drawings.DRAW,) if job.request.draws and backend.capabilities.calls_tools else (),
        temperature=said.pop("temperature", None),
        tokens=said.pop("tokens", None),
        seed=said.pop("seed", None),
        sampling=said,
    )


def _usage(outcome: ChatOutcome) -> TokenUsage | None:
    counted = outcome.usage
    if counted is None:
        return None
    return TokenUsage(prompt_tokens=counted.prompt_tokens, answer_tokens=counted.answer_tokens)
