"""A model for one turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .records import ModelOptions
from .traits import Trait


@dataclass(kw_only=True)
class Chosen:
    """A model with its options, as every request for it has them."""

    name: str
    digest: str
    """Of its file; empty where the server tells none."""
    options: ModelOptions
    context: int
    """Tokens that really fit, as far as it is known."""
    trait: Trait

    @property
    def key(self) -> str:
        return self.digest or self.name

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
