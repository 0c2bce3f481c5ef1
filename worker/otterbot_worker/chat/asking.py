"""One turn asked of a model that is chosen: as much of the conversation as fits, and the answer that comes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import JobFailed
from . import failures, turn
from .answer import Answer, BrokenStream, objects
from .beginnings import Beginnings, Leaves, prompt_leaves
from .chosen import Chosen
from .entries import prompt_of
from .readying import Readying
from .records import OllamaSettings, Phase
from .server import NoHeaders, Server, TooLong


class Asking:
    """One turn. ``notes`` are sentences for people, whatever becomes of it."""

    def __init__(
        self,
        chosen: Chosen,
        messages: Sequence[turn.Message],
        answer: Answer,
        *,
        server: Server,
        settings: OllamaSettings,
        readying: Readying,
        ratios: turn.Ratios,
        beginnings: Beginnings,
        log: logging.Logger,
    ) -> None:
        self._chosen = chosen
        self._messages = messages
        self._answer = answer
        self._server = server
        self._settings = settings
        self._readying = readying
        self._ratios = ratios
        self._beginnings = beginnings
        self._log = log
        self._left_out = 0
        self._slow: list[str] = []

    @property
    def notes(self) -> list[str]:
        left = self._left_out
        said = f"The oldest {left} messages of this conversation no longer fit and were left out."
        one = "The oldest message of this conversation no longer fits and was left out."
        return [*([one if left == 1 else said] if left else []), *self._slow, *self._why_cut()]

    async def run(self, on_phase: Callable[[Phase], None]) -> None:
        """:raises JobFailed:"""
        self._slow = await self._readying.ready(self._chosen, on_phase)
        self._answer.beginning = await self._beginnings.of(self._chosen, self._prompt_leaves)
        ratio = self._ratios.of(self._chosen.key)
        fitted = turn.fit(self._messages, context=self._chosen.context, answer=self._chosen.options.answer, ratio=ratio)
        loaded_again = False
        while True:
            self._left_out = fitted.left_out
            try:
                async with asyncio.timeout(self._settings.total_timeout):
                    await self._stream(fitted.messages)
                break
            except TooLong as long:
                fitted = self._less(fitted, long)
            except NoHeaders:
                # Where it was unloaded since, the silence was a load, and that has to be one of its own.
                if loaded_again or await self._readying.in_memory(self._chosen) is not None:
                    raise failures.slow_start(self._settings.first_byte_timeout) from None
                loaded_again = True
                self._slow = await self._readying.ready(self._chosen, on_phase)
            except TimeoutError:
                raise failures.stalled(self._settings.total_timeout) from None
        if self._answer.prompt_tokens:
            self._ratios.learn(self._chosen.key, turn.estimate_all(fitted.messages), self._answer.prompt_tokens)

    def _less(self, fitted: turn.Fitted, long: TooLong) -> turn.Fitted:
        """Fewer turns, by the numbers of the server's refusal: they tell how many tokens this conversation has."""
        context = long.context or self._chosen.context
        self._chosen.context = context
        if fitted.alone:
            raise failures.too_long(context, long.tokens)
        estimated = turn.estimate_all(fitted.messages)
        if long.tokens:
            self._ratios.learn(self._chosen.key, estimated, long.tokens)
        tokens = long.tokens or round(1.25 * max(context, estimated))
        return turn.fit(
            self._messages,
            context=context,
            answer=self._chosen.options.answer,
            ratio=tokens / estimated,
            least=fitted.left_out + 1,
        )

    async def _stream(self, messages: Sequence[turn.Message]) -> None:
        name = self._chosen.name
        body = self._body(messages) | {"stream": True}
        patience = self._settings.first_byte_timeout
        try:
            async with self._server.chat(body, context=self._chosen.context, patience=patience) as response:
                async for line in objects(response.content, self._settings.chunk_timeout):
                    if isinstance(error := line.get("error"), str):
                        if failures.speaks_of_length(error) and not self._answer.text():
                            raise TooLong(*failures.numbers(error))
                        raise failures.from_answer(200, error, model=name, context=self._chosen.context)
                    self._answer.add(line)
                    if line.get("done") is True or self._answer.cut:
                        return
        except BrokenStream as error:
            self._log.warning("the chat's stream is broken: %s", error)
        raise failures.broke_off()

    def _body(self, messages: Sequence[turn.Message]) -> dict[str, Any]:
        about = {"messages": list(messages), "think": self._chosen.think}
        return self._chosen.body(self._settings.keep_alive) | about

    async def _prompt_leaves(self) -> Leaves:
        """Where the prompt leaves this model, by what the server makes of a message. One that does not know how to
        make only that (before 0.11.5) says a token."""
        body = self._body([{"role": "user", "content": "x"}])
        body |= {"stream": False, "_debug_render_only": True, "options": body["options"] | {"num_predict": 1}}
        try:
            return prompt_leaves(prompt_of(await self._server.ask("POST", "/api/chat", body)))
        except JobFailed:
            return "unsaid"

    # ------------------------------------------------------------ the context's end

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
        prompt, said = self._answer.prompt_tokens, self._answer.answer_tokens
        counted = prompt > 0 and prompt + said >= self._chosen.context - 1
        return self._answer.done and said < self._chosen.options.answer and (counted or self._answer.cut)
