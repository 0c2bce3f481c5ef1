"""What the configuration says of an Ollama server, and its models in memory."""

from __future__ import annotations

from dataclasses import dataclass

from ..records import BackendSettings


@dataclass(frozen=True, kw_only=True)
class OllamaSettings(BackendSettings):
    """Times in seconds."""

    url: str = "http://127.0.0.1:11434"
    on_gpu: bool = True
    """Whether models are meant to run on a card: then one that does not fit is said, and loaded once more."""
    keep_alive: float = 300.0
    """Finite, so that a dead worker still frees the card."""
    load_timeout: float = 900.0
    """For loading a model: somebody waits for it, and giving up means beginning anew."""
