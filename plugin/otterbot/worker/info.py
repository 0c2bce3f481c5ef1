"""The worker's answers about itself: pause, card, models. Unknown fields are ignored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from .json_answers import Answer, readable

STRUCTURES = "structure"
"""The feature of a worker that takes prompts by keys."""


@dataclass(frozen=True, kw_only=True)
class Pause(Answer):
    paused: bool = False
    until: float | None = None
    """Unix time by the worker's clock; converted to :func:`~..clock.steady` when read."""


@dataclass(frozen=True, kw_only=True)
class Gpu(Answer):
    device: str = ""
    name: str = ""
    total_bytes: int | None = None
    free_bytes: int | None = None
    state: str = ""
    resident: str | None = None


@dataclass(frozen=True, kw_only=True)
class Lane(Answer):
    """One card of several."""

    name: str = ""
    """As the worker's settings name it: ``cuda:1``."""
    gpu: Gpu = field(default_factory=Gpu)
    busy: bool = False
    paused: bool = False
    rests: str | None = None
    """Why it is left alone for a while, as a sentence."""

    @property
    def elsewhere(self) -> bool:
        """Whether it is a card of another machine: of a Ray cluster."""
        return self.name.startswith("ray:")


@dataclass(frozen=True, kw_only=True)
class OnCard(Answer):
    name: str
    bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Lease(Answer):
    """Who has the card, where an image model and a language model both want it."""

    mode: str = ""
    """``measured`` or ``exclusive``."""
    image: OnCard | None = None
    chat: tuple[OnCard, ...] | None = ()
    """``None``: nobody could say."""
    together: bool | None = None
    """What was decided last; ``None``: nothing yet."""
    why: str | None = None
    """Why not, as a sentence."""


@dataclass(frozen=True, kw_only=True)
class Info(Answer):
    version: str
    features: list[str] = field(default_factory=list)
    pause: Pause = field(default_factory=Pause)
    gpu: Gpu = field(default_factory=Gpu)
    lanes: tuple[Lane, ...] = ()
    """All cards; none of an older worker."""
    lease: Lease | None = None
    """``None`` where nobody shares the card, and of an older worker."""
    queued: int = 0
    running: int = 0
    default_model: str = ""
    chat_model: str | None = None
    chat_problem: str | None = None
    """Why a chat with that model cannot work, as a sentence."""
    chat_backend: str | None = None
    """The chat backend's name for people."""
    chat_notice: str | None = None
    """A sentence on its answers, for example that the model is tiny."""
    ollama: str = "off"
    """The state of that backend, whichever it is."""
    notice: str | None = None
    limits: dict[str, Any] = field(default_factory=dict)
    keeps_private: bool = True
    """The archive keeps pictures of encrypted rooms; older workers do not say that they do not."""


@dataclass(frozen=True, kw_only=True)
class ModelDefaults(Answer):
    """For the list of models."""

    steps: int
    guidance_scale: float
    width: int
    height: int
    sampler: str
    negative_prompt: str = ""
    guidance_scale_weighted: float | None = None
    """The CFG for prompts with weights, where a request names none."""


@dataclass(frozen=True, kw_only=True)
class ModelLimits(Answer):
    steps_max: int
    guidance_scale_max: float
    size_min: int
    size_max: int
    size_multiple: int
    pixels_max: int
    steps_min: int = 1


@dataclass(frozen=True, kw_only=True)
class Model(Answer):
    name: str
    kind: str = "image"
    """``image`` or ``chat``."""
    about: str = ""
    available: bool = True
    default: bool = False
    defaults: ModelDefaults | None = None
    limits: ModelLimits | None = None
    licence: str = ""
    family: str | None = None
    samplers: tuple[str, ...] = ()
    ignores: tuple[str, ...] = ()
    """What it cannot do, in words."""
    problem: str | None = None
    """Why its files cannot be used, as a sentence."""
    here: bool = True
    """Its files are on the worker; assumed where an older worker does not say."""
    download_bytes: int | None = None
    """Approximate bytes to download first."""
    sees_pictures: bool | None = None
    """Of a chat model; ``None`` where nobody says."""


@dataclass(frozen=True, kw_only=True)
class Lora(Answer):
    """A LoRA, or an embedding, by its name."""

    name: str
    kind: str = "lora"
    family: str | None = None
    """Of the models that it is for."""
    triggers: tuple[str, ...] = ()
    problem: str | None = None
    """Why it cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Wildcard(Answer):
    """A file that words are drawn from by chance."""

    name: str
    lines: int = 0
    usable: bool = True
    problem: str | None = None
    """What is wrong with it, as the end of a sentence that begins with its name."""


@dataclass(frozen=True, kw_only=True)
class Wildcards(Answer):
    wildcards: tuple[Wildcard, ...]

    @classmethod
    def read(cls, data: Any) -> Self:
        given = data.get("wildcards") if isinstance(data, dict) else None
        return super().read({**data, "wildcards": readable(Wildcard, given)} if isinstance(data, dict) else data)


@dataclass(frozen=True, kw_only=True)
class Loras(Answer):
    loras: tuple[Lora, ...]

    @classmethod
    def read(cls, data: Any) -> Self:
        return super().read({**data, "loras": readable(Lora, data.get("loras"))} if isinstance(data, dict) else data)


@dataclass(frozen=True, kw_only=True)
class Style(Answer):
    name: str
    about: str = ""
    """One line."""
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class StyleFile(Answer):
    """A file of styles of which not everything can be used."""

    name: str
    problem: str
    """The end of a sentence that begins with its name."""


@dataclass(frozen=True, kw_only=True)
class StyleList(Answer):
    styles: tuple[Style, ...]
    problems: tuple[StyleFile, ...] = ()
    whole: bool = True
    """False: a file or the folder could not be looked at."""


@dataclass(frozen=True, kw_only=True)
class ExplainedFragment(Answer):
    text: str
    weight: float
    part: int = 0
    chunk: int = 0


@dataclass(frozen=True, kw_only=True)
class ExplainedLora(Answer):
    name: str
    weight: float


@dataclass(frozen=True, kw_only=True)
class ExplainedChance(Answer):
    """Something in a prompt that is drawn by chance."""

    options: tuple[str, ...] = ()
    there: int = 0
    """How many alternatives, or lines of files, there are."""
    wildcard: str | None = None
    """The name that those files are called by."""
    least: int = 1
    most: int = 1
    joiner: str = ", "


@dataclass(frozen=True, kw_only=True)
class ExplainedPrompt(Answer):
    """How the worker reads a prompt."""

    drawn: str | None = None
    """One outcome, where something is drawn by chance: the rest is about it."""
    chance: tuple[ExplainedChance, ...] = ()
    kind: str = "plain"
    fragments: tuple[ExplainedFragment, ...] = ()
    part_weights: tuple[float, ...] = ()
    loras: tuple[ExplainedLora, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Explained(Answer):
    prompt: ExplainedPrompt
    negative_prompt: ExplainedPrompt | None = None


@dataclass(frozen=True, kw_only=True)
class Checked(Answer):
    """What a request would become."""

    model: str
    width: int
    height: int
    steps: int
    guidance_scale: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Models(Answer):
    models: tuple[Model, ...]
    samplers: tuple[str, ...] = ()

    @classmethod
    def read(cls, data: Any) -> Self:
        return super().read({**data, "models": readable(Model, data.get("models"))} if isinstance(data, dict) else data)
