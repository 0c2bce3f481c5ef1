"""Somebody who talks with a chat backend, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from otterbot_worker.chat import ChatBackend, ChatOutcome, Message
from otterbot_worker.chat.failures import CODES
from otterbot_worker.chat.records import Phase
from otterbot_worker.errors import JobFailed


@dataclass(kw_only=True)
class Talking:
    """``texts``, ``phases``: what the last turn reported."""

    backend: ChatBackend
    texts: list[str] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)

    async def say(self, *contents: str, model: str | None = None) -> ChatOutcome:
        """One turn. ``contents``: the conversation, by turns the user's and the assistant's; the last is the user's."""
        self.texts.clear()
        self.phases.clear()
        messages: list[Message] = [
            {"role": "user" if (len(contents) - place) % 2 else "assistant", "content": text}
            for place, text in enumerate(contents)
        ]
        return await self.backend.chat(model, messages, on_text=self.texts.append, on_phase=self.phases.append)

    async def fails(self, *contents: str, model: str | None = None) -> JobFailed:
        """A turn that does not succeed: with a code of the API and a sentence."""
        with pytest.raises(JobFailed) as caught:
            await self.say(*contents, model=model)
        assert caught.value.code in CODES
        assert caught.value.message.endswith("."), "a sentence"
        return caught.value
