"""What goes into a chat backend and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NotRequired, TypedDict

Phase = Literal["loading", "thinking", "streaming"]


class Message(TypedDict):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str
    images: NotRequired[list[str]]
    """Pictures that belong to it: the files (PNG, JPEG, WebP) in base64."""


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """One model's options, the same for every request: a server may load a model anew when some of them change."""

    num_ctx: int = 4096
    num_predict: int = 1024
    """Tokens of an answer at most; capped at ``num_ctx``, also where it says "no limit" (negative)."""
    temperature: float | None = None
    think: bool | str | None = None
    """Whether, or how much, the model thinks. ``None``: not, or little where it cannot do without (gpt-oss)."""
    more: Mapping[str, int | float | bool | str] = field(default_factory=dict)
    """Further options of the backend, as ``num_gpu`` or ``num_thread``."""

    @property
    def answer(self) -> int:
        return self.num_ctx if self.num_predict < 1 else min(self.num_predict, self.num_ctx)


@dataclass(frozen=True, kw_only=True)
class BackendSettings:
    """What ``chat`` of the worker's configuration says of any backend; times in seconds."""

    model: str | None = None
    """The default; ``None``: the first that the server had when it was first asked."""
    models: Mapping[str, ModelOptions] = field(default_factory=dict)
    """Options of single models, by name; ``defaults`` for all others."""
    defaults: ModelOptions = ModelOptions()
    keeps_thoughts: bool = False
    """Whether what a model thinks goes out beside its answer."""
    allow_cloud: bool = False
    """Whether models that run on somebody else's machines may be used."""
    first_byte_timeout: float = 180.0
    chunk_timeout: float = 60.0
    total_timeout: float = 600.0
    short_timeout: float = 5.0
    """For connecting and for questions that a healthy server answers at once."""
    text_interval: float = 0.25
    """Between two calls of ``on_text``."""


@dataclass(frozen=True, kw_only=True)
class ChatModel:
    """A model that the backend has. ``size`` in bytes."""

    name: str
    size: int
    parameters: str
    """How many it has, as people say it: ``8B``; empty: not said."""
    capabilities: tuple[str, ...]
    """``completion``, ``vision``, ``thinking``, ``tools`` …; empty: not said."""
    remote: bool
    """It runs on somebody else's machines."""
    digest: str = ""
    """Tells its file from any other: two names may have one, and a name may get another one. What is learned of a model
    is kept by it. Where the server says none, something as steady (its address and the name) does; without any, every
    answer is held back until it is whole."""
    context: int = 0
    """The longest context that it was trained for; 0: not said."""
    family: str = ""

    @property
    def chats(self) -> bool:
        return not self.capabilities or "completion" in self.capabilities

    @property
    def sees_pictures(self) -> bool | None:
        """``None``: nobody says."""
        return "vision" in self.capabilities if self.capabilities else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """A piece of an answer as it streams."""

    text: str = ""
    thought: str = ""
    """What the server tells apart from the answer."""
    done: bool = False
    """The server says that the answer came to its end. A stream that ends without it broke off."""
    cut: bool = False
    """It ended at its greatest length."""
    prompt_tokens: int = 0
    """Of the conversation, as the server counted them; 0: not said."""
    answer_tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens, as the server counted them. Some count only what they had not read before."""

    prompt_tokens: int
    answer_tokens: int


@dataclass(frozen=True, kw_only=True)
class ChatOutcome:
    """An answer. ``took`` in seconds, loading included; ``notes`` are sentences for people."""

    text: str
    model: str
    complete: bool
    """``False``: it broke off; ``text`` keeps what came."""
    took: float
    notes: list[str] = field(default_factory=list)
    reasoning: str = ""
    """What the model thought, where the settings keep it; its end is left out where it is long."""
    left_out: int = 0
    """Messages at the conversation's beginning that did not fit; ``notes`` do not say it."""
    usage: Usage | None = None
    """``None``: the server did not count, or not to the end."""


@dataclass(frozen=True, kw_only=True)
class Unloaded:
    """After every model was asked to leave the card."""

    gone: bool
    """Whether the server has none any more."""
    on_card: int
    """Bytes that those which were loaded had on the card, as the server said: about what has to come back."""
    nameless: int = 0
    """Bytes on the card of models that no name leads to any more (deleted or replaced while loaded): nobody can unload
    them, they leave by themselves after a while."""
    load_stopped: bool = False
    """Whether a load of ours was stopped, whose memory comes back too."""
