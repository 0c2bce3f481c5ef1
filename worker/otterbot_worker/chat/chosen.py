"""A model for one turn."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .records import ChatModel, ModelOptions

_GPT_OSS = re.compile(r"gpt-?oss", re.IGNORECASE)
_THINKERS = re.compile(r"think|reason|qwq|magistral|\br1\b", re.IGNORECASE)
"""In names of models that think and whose files may not say so."""


@dataclass(kw_only=True)
class Chosen:
    """A model with its options, as every request for it has them."""

    name: str
    model: ChatModel | None
    """As the server lists it."""
    options: ModelOptions
    context: int
    """Tokens that really fit, as far as it is known."""

    @property
    def digest(self) -> str:
        """Of its file; empty where the server tells none."""
        return self.model.digest if self.model is not None else ""

    @property
    def key(self) -> str:
        return self.digest or self.name

    @property
    def think(self) -> bool | str:
        """Ollama's ``think``. gpt-oss cannot do without, whatever it is called."""
        if self.options.think is not None:
            return self.options.think
        family = self.model.family if self.model is not None else ""
        return "low" if _GPT_OSS.match(family) or _GPT_OSS.match(self.name.rsplit("/", 1)[-1]) else False

    @property
    def thinks(self) -> bool:
        """Whether it is likely to think, also where it is told not to."""
        known = self.model is not None and "thinking" in self.model.capabilities
        return known or _THINKERS.search(self.name) is not None

    def body(self, keep_alive: float) -> dict[str, Any]:
        """What is the same in every request: Ollama loads the model anew where some of it changes.

        ``truncate`` and ``shift`` keep it from cutting a conversation, or the beginning of it, in silence.
        """
        return {
            "model": self.name,
            "keep_alive": f"{max(1, round(keep_alive))}s",
            "options": self.options.wire(),
            "truncate": False,
            "shift": False,
        }
