"""A model for one turn."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .records import ChatModel, ModelOptions, Tool

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
    """Tokens that really fit, as far as it is known; 0: nobody says before the server refuses a conversation."""
    think: bool | str = False
    """What the model is told about thinking."""
    tools: tuple[Tool, ...] = ()
    """What it may call."""

    @property
    def digest(self) -> str:
        """Of its file; empty where the server tells none."""
        return self.model.digest if self.model is not None else ""

    @property
    def key(self) -> str:
        return self.digest or self.name

    @property
    def thinks(self) -> bool:
        """Whether it is likely to think, also where it is told not to."""
        known = self.model is not None and "thinking" in self.model.capabilities
        return known or _THINKERS.search(self.name) is not None
