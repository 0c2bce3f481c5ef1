"""A small chat backend without a server, as unlike Ollama as the protocol allows: it needs no card, does not know how
much fits before it refuses, counts no tokens and shows no prompt.

It answers as `ollama_answers` says. `Mind` stands for the server, `SmallBackend` for the package in ``chat/`` that
speaks to it: so much a backend is at least.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from doubles import ollama_answers
from otterbot_worker.chat import (
    BackendStatus,
    Beginnings,
    Capabilities,
    ChatBackend,
    ChatModel,
    ChatOutcome,
    Choice,
    Message,
    ModelOptions,
    Unloaded,
    failures,
)
from otterbot_worker.chat.beginnings import Leaves
from otterbot_worker.chat.chosen import Chosen
from otterbot_worker.chat.records import NO_WISHES, BackendSettings, Delta, Phase, Wishes
from otterbot_worker.chat.too_long import TooLong
from otterbot_worker.chat.turn import NoFirstToken, Turns
from otterbot_worker.errors import JobFailed

NAME = "The small backend"


@dataclass
class Mind:
    """What a server would be. ``fits``: words of a conversation; ``running``: answers that it works on."""

    here: bool = True
    models: tuple[str, ...] = ("small",)
    fits: int = 250
    running: int = 0
    rules: list[dict[str, Any]] = field(default_factory=list)
    heard: list[list[Message]] = field(default_factory=list)
    wishes: list[Wishes] = field(default_factory=list)

    @contextmanager
    def answering(self) -> Any:
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1


class SmallBackend:
    """A `ChatBackend`."""

    name = NAME
    capabilities = Capabilities(
        needs_card=False, sees_pictures=False, knows_context=False, sends_thoughts=True, counts_tokens=False
    )
    card = None
    about = None

    def __init__(self, mind: Mind, settings: BackendSettings) -> None:
        self._mind = mind
        self._settings = settings
        self._choice = Choice()
        self._turns = Turns(settings, Beginnings(), logging.getLogger("otterbot_worker.chat"))

    async def for_turn(self) -> ChatBackend:
        return self

    async def close(self) -> None:
        pass

    async def models(self) -> list[ChatModel]:
        if not self._mind.here:
            raise failures.unreachable(NAME)
        return [
            ChatModel(name=name, size=1, parameters="1M", capabilities=(), remote=False, digest=f"{NAME} {name}")
            for name in self._mind.models
        ]

    async def status(self) -> BackendStatus:
        try:
            models = await self.models()
        except JobFailed as failed:
            return BackendStatus(reachable=False, problem=failed.message)
        try:
            model = await self._choose(None, models)
        except JobFailed as failed:
            return BackendStatus(reachable=True, models=models, problem=failed.message)
        return BackendStatus(reachable=True, models=models, default=model.name)

    async def _choose(self, name: str | None, models: list[ChatModel]) -> ChatModel:
        wanted = name or self._settings.model or await self._choice.among(models)
        for model in models:
            if model.name == wanted:
                return model
        raise failures.failure("chat_model_missing", "The small backend has no such model.")

    async def chat(
        self,
        model: str | None,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None],
        on_phase: Callable[[Phase], None],
        wishes: Wishes = NO_WISHES,
    ) -> ChatOutcome:
        started = time.monotonic()
        found = await self._choose(model, await self.models())
        chosen = Chosen(name=found.name, model=found, options=ModelOptions(), context=0)
        self._mind.wishes.append(wishes)
        session = SmallSession(chosen, self._mind, self._settings)
        return await self._turns.run(session, messages, started=started, on_text=on_text, on_phase=on_phase)

    async def unload(self, timeout: float) -> Unloaded:
        return Unloaded(gone=True, on_card=0)


class SmallSession:
    """A `ModelSession`."""

    notes = ()

    def __init__(self, chosen: Chosen, mind: Mind, settings: BackendSettings) -> None:
        self.chosen = chosen
        self._mind = mind
        self._settings = settings

    async def ready(self, on_phase: Callable[[Phase], None]) -> list[str]:
        on_phase("thinking")
        return []

    async def in_memory(self) -> bool:
        return True

    async def prompt_leaves(self) -> Leaves:
        return "unsaid"

    async def stream(self, messages: Sequence[Message]) -> AsyncGenerator[Delta]:
        with self._mind.answering():
            self._mind.heard.append(list(messages))
            if sum(len(message["content"].split()) for message in messages) > self._mind.fits:
                raise TooLong(None, None)
            scripted = ollama_answers.answer([dict(one) for one in messages], self._mind.rules, think=True)
            if scripted.ending == "silence":
                await asyncio.sleep(self._settings.first_byte_timeout)
                raise NoFirstToken
            for thought in scripted.thinking:
                yield Delta(thought=thought)
            for piece in scripted.pieces:
                await asyncio.sleep(scripted.pause or 0)
                yield Delta(text=piece)
            if scripted.ending == "stall":
                await asyncio.sleep(self._settings.chunk_timeout)
                raise failures.stalled(self._settings.chunk_timeout)
            if scripted.ending == "done":
                yield Delta(done=True)
