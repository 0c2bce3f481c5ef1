"""A client of the double, and what tests ask of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from doubles.ollama import OllamaDouble
from otterbot_worker.chat import Beginnings, ChatOutcome, Choice, Message
from otterbot_worker.chat.ollama import Ollama, OllamaSettings
from otterbot_worker.errors import JobFailed

PLAIN = {"name": "tiny", "prompt": "{{ .Prompt }}<think>\n\n</think>\n\n"}
"""A model of whose prompt it shows that an answer begins with itself."""


class Talk:
    """A client of the double, and all that it reported."""

    def __init__(
        self,
        double: OllamaDouble,
        *,
        choice: Choice | None = None,
        beginnings: Beginnings | None = None,
        **settings: Any,
    ) -> None:
        wanted = OllamaSettings(url=double.url, **{"text_interval": 0.0} | settings)
        self.client = Ollama(wanted, choice=choice, beginnings=beginnings)
        self.texts: list[str] = []
        self.phases: list[str] = []

    async def say(self, *contents: str, model: str | None = "tiny") -> ChatOutcome:
        roles = ("user", "assistant")
        messages: list[Message] = [
            {"role": roles[(len(contents) - 1 - place) % 2], "content": text}  # type: ignore[typeddict-item]
            for place, text in enumerate(contents)
        ]
        return await self.client.chat(model, messages, on_text=self.texts.append, on_phase=self.phases.append)

    async def fails(self, *contents: str, model: str | None = "tiny") -> JobFailed:
        with pytest.raises(JobFailed) as caught:
            await self.say(*contents, model=model)
        return caught.value


async def until(condition: Callable[[], bool], timeout: float = 5.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def chats(double: OllamaDouble) -> list[dict[str, Any]]:
    """Loads and turns."""
    return [entry for entry in _asked(double) if "_debug_render_only" not in entry["body"]]


def renders(double: OllamaDouble) -> list[dict[str, Any]]:
    """Questions for what a prompt is made of."""
    return [entry for entry in _asked(double) if "_debug_render_only" in entry["body"]]


def _asked(double: OllamaDouble) -> list[dict[str, Any]]:
    return [entry for entry in double.requests if entry["path"] == "/api/chat"]
