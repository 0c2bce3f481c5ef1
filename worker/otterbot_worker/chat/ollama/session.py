"""A model of Ollama's for one turn: what `turn.Turn` needs of it."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from ...errors import JobFailed
from .. import too_long
from ..beginnings import Leaves, prompt_leaves
from ..chosen import Chosen
from ..failures import broke_off
from ..reading import BrokenStream, objects
from ..records import Delta, Message, Phase
from . import failures
from .http import Http
from .preload import Preload
from .settings import OllamaSettings
from .wire import delta, fixed_body, prompt_of


class Session:
    notes = ()

    def __init__(
        self, chosen: Chosen, *, http: Http, preload: Preload, settings: OllamaSettings, log: logging.Logger
    ) -> None:
        self.chosen = chosen
        self._http = http
        self._preload = preload
        self._settings = settings
        self._log = log

    async def ready(self, on_phase: Callable[[Phase], None]) -> list[str]:
        return await self._preload.ready(self.chosen, on_phase)

    async def in_memory(self) -> bool:
        return await self._preload.in_memory(self.chosen) is not None

    async def prompt_leaves(self) -> Leaves:
        """By what the server makes of a message. One that does not know how to make only that (before 0.11.5) says a
        token."""
        body = self._body([{"role": "user", "content": "x"}])
        body |= {"stream": False, "_debug_render_only": True, "options": body["options"] | {"num_predict": 1}}
        try:
            return prompt_leaves(prompt_of(await self._http.ask("POST", "/api/chat", body)))
        except JobFailed:
            return "unsaid"

    async def stream(self, messages: Sequence[Message]) -> AsyncGenerator[Delta]:
        body = self._body(messages) | {"stream": True}
        if self.chosen.tools:
            body["tools"] = [tool.wire for tool in self.chosen.tools]
        calls = 0
        try:
            async with self._http.chat(body, patience=self._settings.first_byte_timeout) as response:
                async for line in objects(response.content, self._settings.chunk_timeout):
                    if isinstance(error := line.get("error"), str):
                        raise too_long.in_words(error) or failures.from_answer(200, error, model=self.chosen.name)
                    piece = delta(line, calls_before=calls)
                    calls += len(piece.calls)
                    yield piece
        except BrokenStream as error:
            self._log.warning("the chat's stream is broken: %s", error)
            raise broke_off() from None

    def _body(self, messages: Sequence[Message]) -> dict[str, Any]:
        fixed = fixed_body(self.chosen, self._settings.keep_alive)
        return fixed | {"messages": list(messages), "think": self.chosen.think}
