"""What goes into a chat backend and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NotRequired, TypedDict

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
class Tool:
    """Something that a model may ask for beside, or instead of, its answer."""

    name: str
    about: str
    parameters: Mapping[str, Any]
    """A JSON schema of an object."""

    @property
    def wire(self) -> dict[str, Any]:
        """As all servers take it."""
        function = {"name": self.name, "description": self.about, "parameters": dict(self.parameters)}
        return {"type": "function", "function": function}


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """What a model asked for: its own words, held to nothing."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class CallPiece:
    """A piece of a call as it streams. ``arguments`` is a part of JSON, or all of it."""

    index: int
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What one turn is to have besides its conversation."""

    seed: int | None = None
    """The same seed, conversation and server make the same answer, as far as the server can."""
    tokens: int | None = None
    """Of the answer at most."""
    tools: tuple[Tool, ...] = ()
    """What the model may call, where it and its backend can (`Capabilities.calls_tools`)."""
    temperature: float | None = None
    sampling: Mapping[str, float] = field(default_factory=dict)
    """Further numbers by the names that all servers have for them, as ``top_p``."""

    def applied(self, options: ModelOptions, *, thinks: bool) -> ModelOptions:
        """``thinks``: the answer's tokens are the thought's, too, which gets some of its own."""
        if self.tokens is not None:
            most = self.tokens + (THOUGHT_TOKENS if thinks else 0)
            options = replace(options, num_predict=min(options.answer, most))
        if self.temperature is not None:
            options = replace(options, temperature=self.temperature)
        if self.sampling:
            options = replace(options, more={**options.more, **self.sampling})
        if self.seed is not None:
            # Some servers take more than 31 bits for a negative number, or for "any".
            options = replace(options, more={**options.more, "seed": self.seed % 2**31})
        return options


NO_WISHES = Wishes()
THOUGHT_TOKENS = 1_000


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

    def options(self, model: str) -> ModelOptions:
        return self.models.get(model, self.defaults)


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
    calls: tuple[CallPiece, ...] = ()


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
    seeing: tuple[str, ...] = ()
    """Where it answered from the words alone: models that would have seen the pictures."""
    usage: Usage | None = None
    """``None``: the server did not count, or not to the end."""
    cut: bool = False
    """It ended at its greatest length; ``notes`` say which one."""
    calls: tuple[ToolCall, ...] = ()
    """Of an answer that came whole; its ``text`` may be empty then."""


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
