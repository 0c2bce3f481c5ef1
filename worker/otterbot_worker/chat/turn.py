"""One turn with whatever backend: as much of the conversation as fits, and the answer that comes.

A backend supplies a `ModelSession`, the model of this turn; `Turns` does what is the same for all of them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Protocol

from ..errors import JobFailed
from . import failures, fitting, sight
from .answer import Answer, Phases
from .beginnings import Beginnings, Leaves
from .chosen import Chosen
from .records import BackendSettings, ChatOutcome, Delta, Message, Phase
from .sight import CannotSee, Sight
from .too_long import TooLong

SHORTEST_PAUSE = 0.05
"""Seconds of silence after which there is a look for words that were not reported yet."""


class NoFirstToken(Exception):
    """Nothing came within the time for the first token."""


class ModelSession(Protocol):
    """The model of one turn, as its backend reaches it."""

    @property
    def chosen(self) -> Chosen:
        """Its ``context`` is lowered when the server says that less fits."""

    @property
    def notes(self) -> Sequence[str]:
        """What was left out of what the server was asked, as sentences for people; known once it streams."""

    async def ready(self, on_phase: Callable[[Phase], None]) -> list[str]:
        """Waits until the model can answer, and enters ``thinking`` then; notes for people. :raises JobFailed:"""

    async def in_memory(self) -> bool:
        """Asked after `NoFirstToken`: ``False`` where the silence was a load, so that `ready` is waited for again."""

    async def prompt_leaves(self) -> Leaves:
        """Whether the model's template begins a thought; ``unsaid`` where the server does not show its prompt."""

    def stream(self, messages: Sequence[Message]) -> AsyncGenerator[Delta]:
        """The answer, piece by piece. Closing it stops the server.

        :raises TooLong: :raises CannotSee: :raises NoFirstToken: :raises JobFailed:
        """


class Turns:
    """What a backend's turns share."""

    def __init__(
        self, settings: BackendSettings, beginnings: Beginnings, log: logging.Logger, *, sees_pictures: bool = True
    ) -> None:
        """``sees_pictures``: as in `Capabilities`."""
        self._settings = settings
        self._beginnings = beginnings
        self._log = log
        self._sight = Sight() if sees_pictures else None
        self.ratios = fitting.Ratios()

    async def run(
        self,
        session: ModelSession,
        messages: Sequence[Message],
        *,
        started: float,
        on_text: Callable[[str], None],
        on_phase: Callable[[Phase], None],
        needs_sight: bool = False,
    ) -> ChatOutcome:
        """One turn, as `ChatBackend.chat` says it. ``started``: of ``time.monotonic``. :raises JobFailed:"""
        chosen = session.chosen
        phases = Phases(on_phase)
        answer = Answer(on_text, phases.enter, self._settings.text_interval)
        turn = Turn(
            session,
            messages,
            answer,
            settings=self._settings,
            ratios=self.ratios,
            beginnings=self._beginnings,
            seeing=self._sight,
            needs_sight=needs_sight,
        )
        failure: JobFailed | None = None
        pauses = asyncio.create_task(_report_in_pauses(answer, self._settings.text_interval))
        try:
            await turn.run(phases.enter)
        except JobFailed as failed:
            failure = failed
        finally:
            pauses.cancel()
        text = answer.text()
        await self._beginnings.learn(
            chosen, inside=answer.began_inside, whole=failure is None and answer.whole, apart=answer.apart
        )
        calls = answer.calls.whole() if failure is None and answer.whole else ()
        if not text and not calls:
            raise failure or turn.no_text()
        if failure is not None:
            self._log.warning("chat answer broke off: %s %s", failure.code, failure.details)
        return ChatOutcome(
            text=text,
            model=chosen.name,
            complete=failure is None,
            took=time.monotonic() - started,
            notes=turn.notes,
            reasoning=answer.reasoning() if self._settings.keeps_thoughts else "",
            left_out=turn.left_out,
            seeing=chosen.seeing[: sight.NAMED] if turn.blind else (),
            usage=answer.usage,
            cut=answer.cut,
            calls=calls,
        )


async def _report_in_pauses(answer: Answer, interval: float) -> None:
    """Where a model pauses, its last words are shown without waiting for the next ones."""
    while True:
        await asyncio.sleep(max(interval, SHORTEST_PAUSE))
        answer.report_if_due()


class Turn:
    """One turn. ``notes`` are sentences for people, whatever becomes of it."""

    def __init__(
        self,
        session: ModelSession,
        messages: Sequence[Message],
        answer: Answer,
        *,
        settings: BackendSettings,
        ratios: fitting.Ratios,
        beginnings: Beginnings,
        seeing: Sight | None = None,
        needs_sight: bool = False,
    ) -> None:
        """``seeing``: ``None``: no model of the backend sees; ``needs_sight``: the words alone are no question."""
        self._session = session
        self._chosen = session.chosen
        self._messages = messages
        self._answer = answer
        self._settings = settings
        self._ratios = ratios
        self._beginnings = beginnings
        self._seeing = seeing
        self._needs_sight = needs_sight
        self.blind: list[str] = []
        """That the pictures were left out, where the question has some."""
        self.left_out = 0
        """Messages at the conversation's beginning that did not fit."""
        self._slow: list[str] = []

    @property
    def notes(self) -> list[str]:
        return [*self.blind, *self._slow, *self._session.notes, *self._why_cut()]

    async def run(self, on_phase: Callable[[Phase], None]) -> None:
        """:raises JobFailed:"""
        self._look()
        self._slow = await self._session.ready(on_phase)
        self._answer.beginning = await self._beginnings.of(self._chosen, self._session.prompt_leaves)
        fitted = self._fit(self._ratios.of(self._chosen.key), context=self._chosen.context)
        loaded_again = False
        while True:
            self.left_out = fitted.left_out
            try:
                async with asyncio.timeout(self._settings.total_timeout):
                    await self._stream(fitted.messages)
                break
            except TooLong as long:
                if self._answer.text():
                    raise failures.too_long(self._chosen.context) from None
                fitted = self._less(fitted, long)
            except CannotSee:
                if self._seeing is not None:
                    self._seeing.learn(self._chosen)
                self._leave_pictures_out()
                fitted = self._fit(self._ratios.of(self._chosen.key), context=self._chosen.context)
            except NoFirstToken:
                # Where it was unloaded since, the silence was a load, and that has to be one of its own.
                if loaded_again or await self._session.in_memory():
                    raise failures.slow_start(self._settings.first_byte_timeout) from None
                loaded_again = True
                self._slow = await self._session.ready(on_phase)
            except TimeoutError:
                raise failures.stalled(self._settings.total_timeout) from None
        if self._answer.prompt_tokens and not sight.pictures_in(fitted.messages):
            counted = self._answer.prompt_tokens
            self._ratios.learn(self._chosen.key, fitting.estimate_all(fitted.messages), counted)

    async def _stream(self, messages: Sequence[Message]) -> None:
        async with aclosing(self._session.stream(messages)) as deltas:
            async for delta in deltas:
                self._answer.add(delta)
                if delta.done or self._answer.cut:
                    return
        raise failures.broke_off()

    # ------------------------------------------------------------ pictures

    def _look(self) -> None:
        """:raises JobFailed: as below"""
        sees = self._seeing is not None and self._seeing.sees(self._chosen)
        if not sees and sight.pictures_in(self._messages):
            self._leave_pictures_out()

    def _leave_pictures_out(self) -> None:
        """The model sees none. :raises JobFailed: the question is nothing without"""
        question = self._messages[-1]
        if question.get("images"):
            if self._needs_sight or not question["content"].strip():
                raise sight.blind(self._chosen)
            self.blind = [sight.note(self._chosen)]
        self._messages = sight.without_pictures(self._messages)

    # ------------------------------------------------------------ the context's end

    def _fit(self, ratio: float, *, context: int, least: int = 0) -> fitting.Fitted:
        answer = self._chosen.options.answer
        return fitting.fit(self._messages, context=context, answer=answer, ratio=ratio, least=least)

    def _less(self, fitted: fitting.Fitted, long: TooLong) -> fitting.Fitted:
        """Fewer turns, by the numbers of the server's refusal: they tell how many tokens this conversation has."""
        estimated = fitting.estimate_all(fitted.messages)
        self._chosen.context = context = long.context or self._chosen.context
        if fitted.alone:
            pictures = sight.pictures_in(fitted.messages)
            raise failures.too_long(context, long.tokens if context else None, pictures=pictures)
        if long.tokens and not sight.pictures_in(fitted.messages):
            self._ratios.learn(self._chosen.key, estimated, long.tokens)
        tokens = long.tokens or round(1.25 * max(context, estimated))
        # Where nobody knows how much fits, it is less than what was refused.
        return self._fit(tokens / estimated, context=context or estimated, least=fitted.left_out + 1)

    def no_text(self) -> JobFailed:
        """Why there is no answer though nothing failed."""
        if self._is_full() and not self._answer.thought:
            return failures.too_long(self._chosen.context, self._answer.prompt_tokens or None)
        return failures.empty(thought=self._answer.thought, cut=self._answer.cut)

    def _why_cut(self) -> list[str]:
        if not self._answer.cut:
            return []
        if self._is_full():
            return [
                f"The answer was cut because it and the conversation fill the model's {self._chosen.context} tokens."
            ]
        return ["The answer was cut because it reached its greatest length."]

    def _is_full(self) -> bool:
        """Did the context end before the answer's greatest length? Not every server counts all of the conversation."""
        if not self._chosen.context or self._answer.too_long:
            return False
        prompt, said = self._answer.prompt_tokens, self._answer.answer_tokens
        counted = prompt > 0 and prompt + said >= self._chosen.context - 1
        return self._answer.done and said < self._chosen.options.answer and (counted or self._answer.cut)
