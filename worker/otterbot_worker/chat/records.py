"""What goes into the chat client and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Phase = Literal["loading", "thinking", "streaming"]


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """One model's options, the same for every request: Ollama loads a model anew when some of them change."""

    num_ctx: int = 4096
    num_predict: int = 1024
    """Tokens of an answer at most; capped at ``num_ctx``, also where it says "no limit" (negative)."""
    temperature: float | None = None
    think: bool | str | None = None
    """Ollama's ``think``. ``None``: no thoughts, or few where a model cannot do without (gpt-oss)."""
    more: Mapping[str, int | float | bool | str] = field(default_factory=dict)
    """Further options of Ollama, as ``num_gpu`` or ``num_thread``."""

    def wire(self) -> dict[str, int | float | bool | str]:
        options: dict[str, int | float | bool | str] = {
            **self.more,
            "num_ctx": self.num_ctx,
            "num_predict": self.answer,
        }
        if self.temperature is not None:
            options["temperature"] = self.temperature
        return options

    @property
    def answer(self) -> int:
        return self.num_ctx if self.num_predict < 1 else min(self.num_predict, self.num_ctx)


@dataclass(frozen=True, kw_only=True)
class OllamaSettings:
    """``chat`` of the worker's configuration; times in seconds."""

    url: str = "http://127.0.0.1:11434"
    model: str | None = None
    """The default; ``None``: the first that the server had when it was first asked."""
    models: Mapping[str, ModelOptions] = field(default_factory=dict)
    """Options of single models, by name; ``defaults`` for all others."""
    defaults: ModelOptions = ModelOptions()
    allow_cloud: bool = False
    """Whether models that run on somebody else's machines may be used."""
    on_gpu: bool = True
    """Whether models are meant to run on a card: then one that does not fit is said, and loaded once more."""
    keep_alive: float = 300.0
    """Finite, so that a dead worker still frees the card."""
    load_timeout: float = 900.0
    """For loading a model: somebody waits for it, and giving up means beginning anew."""
    first_byte_timeout: float = 180.0
    chunk_timeout: float = 60.0
    total_timeout: float = 600.0
    short_timeout: float = 5.0
    """For connecting and for questions that a healthy server answers at once."""
    text_interval: float = 0.25
    """Between two calls of ``on_text``."""


@dataclass(frozen=True, kw_only=True)
class ChatModel:
    """A model that the server has. ``size`` in bytes."""

    name: str
    size: int
    parameters: str
    capabilities: tuple[str, ...]
    remote: bool
    """It runs on somebody else's machines."""
    digest: str = ""
    """Of its file: two names may have one."""
    context: int = 0
    """The longest context that it was trained for; 0: not said."""
    family: str = ""

    @property
    def chats(self) -> bool:
        return not self.capabilities or "completion" in self.capabilities


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model in memory, as ``/api/ps`` has it (a model that is still loading is not in there). Bytes."""

    name: str
    size: int
    size_vram: int
    context: int | None
    digest: str = ""


@dataclass(frozen=True, kw_only=True)
class ChatOutcome:
    """An answer. ``took`` in seconds, loading included; ``notes`` are sentences for people."""

    text: str
    model: str
    complete: bool
    """``False``: it broke off; ``text`` keeps what came."""
    took: float
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Unloaded:
    """After every model was asked to leave."""

    gone: bool
    """Whether the server has none any more."""
    on_card: int
    """Bytes that those which were loaded had on the card, as the server said: about what has to come back."""
    nameless: int = 0
    """Bytes on the card of models that no name leads to any more (deleted or replaced while loaded): nobody can unload
    them, they leave by themselves when their ``keep_alive`` is over."""
    load_stopped: bool = False
    """Whether a load of ours was stopped, whose memory comes back too."""
