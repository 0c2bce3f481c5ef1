"""What is known of Ollama, without making anybody wait for it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Literal

from ..chat import ChatModel, Ollama
from ..errors import JobFailed

FRESH_SECONDS = 5.0
PATIENCE_SECONDS = 1.0


class OllamaStatus:
    """Asks at most every ``FRESH_SECONDS``, and answers with what it knows after ``PATIENCE_SECONDS``."""

    def __init__(self, ollama: Ollama | None) -> None:
        self._ollama = ollama
        self._state: Literal["reachable", "unreachable", "off"] = "off" if ollama is None else "unreachable"
        self._models: list[ChatModel] = []
        self._default: str | None = None
        self._problem: str | None = None
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def get(self) -> tuple[Literal["reachable", "unreachable", "off"], list[ChatModel]]:
        if self._ollama is not None and time.monotonic() - self._asked_at > FRESH_SECONDS:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask(self._ollama), name="ask Ollama")
            await asyncio.wait([self._asking], timeout=PATIENCE_SECONDS)
        return self._state, self._models

    async def default_model(self) -> str | None:
        """The model of a turn that names none; ``None`` while nobody knows."""
        if self._ollama is None:
            return None
        if self._ollama.settings.model is not None:
            return self._ollama.settings.model
        await self.get()
        return self._default

    async def problem(self) -> str | None:
        """Why a chat with the default model cannot work, as a sentence; ``None``: nothing is known to be wrong."""
        await self.get()
        return self._problem

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._asking

    async def _ask(self, ollama: Ollama) -> None:
        try:
            look = await ollama.look()
            self._models, self._default, self._problem = look.models, look.default, look.problem
            self._state = "reachable"
        except JobFailed as failed:
            self._state, self._problem = "unreachable", failed.message
        self._asked_at = time.monotonic()
