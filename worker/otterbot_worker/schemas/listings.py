"""What a worker is, what it has (models, LoRAs, ControlNets), and how it reads a prompt."""

from __future__ import annotations

from typing import Literal

from .base import Sent
from .jobs import Pause


class GpuInfo(Sent):
    device: str
    name: str
    total_bytes: int | None = None
    free_bytes: int | None = None
    state: str
    """``stopped``, ``starting``, ``idle``, ``loading``, ``drawing``."""
    resident: str | None = None


class LaneInfo(Sent):
    """One card of several, which draws one picture at a time."""

    name: str
    """As the settings name it: ``cuda:1``."""
    gpu: GpuInfo
    busy: bool
    paused: bool
    """Alone; `WorkerInfo.pause` is of all."""
    rests: str | None
    """Why it is left alone for a while, as a sentence."""


class OnCard(Sent):
    """A model on the card."""

    name: str
    bytes: int | None = None


class LeaseInfo(Sent):
    """Who has the card, where an image model and a language model both want it."""

    mode: Literal["measured", "exclusive"]
    """``gpu.lease`` of the worker's settings."""
    image: OnCard | None = None
    chat: list[OnCard] | None = []
    """``null``: nobody could say."""
    together: bool | None = None
    """What was decided when a picture or a turn last came: both stay, or they take turns; ``null``: nothing yet."""
    why: str | None = None
    """Why they take turns, as a sentence."""


class WorkerInfo(Sent):
    """What a worker is and does now."""

    version: str
    api: Literal["v1"] = "v1"
    features: list[str]
    pause: Pause
    gpu: GpuInfo
    """The first card, which language models share."""
    lanes: list[LaneInfo] = []
    """All cards."""
    lease: LeaseInfo | None = None
    """``null`` where nobody shares the card: there is none, or chats need none."""
    queued: int
    running: int
    default_model: str
    chat_model: str | None
    ollama: Literal["reachable", "unreachable", "off"]
    """Of the chat backend, whichever it is."""
    chat_backend: str | None = None
    """What answers chats, as people call it; ``null`` where chat is switched off."""
    chat_problem: str | None = None
    """Why a chat with ``chat_model`` cannot work now, as a sentence; ``null`` where nothing is known to be wrong."""
    chat_notice: str | None = None
    """What people should know of ``chat_model`` though it works, as that it is tiny."""
    notice: str | None = None
    """What an operator should see, as "Pictures come from otter-mini, …, because …"."""
    limits: dict[str, int | float] = {}
    keeps_private: bool = True
    """Whether pictures of encrypted rooms stay in the archive once they are delivered (`archive.encrypted_rooms`)."""


class ModelDefaults(Sent):
    steps: int
    guidance_scale: float
    width: int
    height: int
    sampler: str
    negative_prompt: str
    guidance_scale_weighted: float | None = None
    """Taken instead of ``guidance_scale`` where the prompt has weights, if a request leaves ``guidance_scale`` open."""


class ModelLimits(Sent):
    steps_min: int = 1
    steps_max: int
    guidance_scale_max: float
    size_min: int
    size_max: int
    size_multiple: int
    pixels_max: int


class Model(Sent):
    name: str
    kind: Literal["image", "chat"]
    about: str
    available: bool
    """Its files are here (or may be downloaded)."""
    default: bool
    defaults: ModelDefaults | None = None
    limits: ModelLimits | None = None
    licence: str = ""
    family: str | None = None
    """What kind of image model: ``sd``, ``sdxl``, ``sd3``, ``zimage``, ``flux2``."""
    samplers: list[str] = []
    """Those of ``Models.samplers`` that it takes."""
    ignores: list[str] = []
    """What it cannot do, in words, as ``negative prompts``: left out with a note, or refused."""
    problem: str | None = None
    """Why its file cannot be drawn with, as a sentence; it is not ``available`` then."""
    here: bool = True
    """All of its files are on the worker. Else they are fetched when it is first asked for, if it is ``available``."""
    download_bytes: int | None = None
    """About so much would have to be fetched; ``None`` where nothing has to, nothing can be, or nobody knows."""
    sees_pictures: bool | None = None
    """Of a chat model; ``None`` where its server does not say."""


class Models(Sent):
    models: list[Model]
    samplers: list[str]


class Lora(Sent):
    """A file in the folder of LoRAs or in that of embeddings."""

    kind: Literal["lora", "embedding"]
    name: str
    """``<lora:name:weight>`` in a prompt; of an embedding the name alone, as a word. Of a file that cannot be called
    (``problem``) it is what can be shown of its name."""
    family: str | None = None
    """The models that it is for: ``sd``, ``sdxl``, ``other``; ``None`` where its file does not say, or where its shapes
    are those of none that its notes name."""
    triggers: list[str] = []
    """Words that it was trained with; of an embedding those that call it, the word in its file first."""
    size: int
    hash: str | None = None
    """SHA-256 of the file, in hex; ``None`` until there was time to read it."""
    problem: str | None = None
    """Why it cannot be used, as the end of a sentence that begins with its name."""


class Loras(Sent):
    loras: list[Lora]


class ControlNet(Sent):
    """A file or folder in the folder of ControlNets, or one that the hub's cache has."""

    name: str
    """What ``Control.kind`` may be."""
    family: str | None = None
    """The models that it is for: ``sd`` or ``sdxl``; ``None`` where it cannot be read."""
    canny: bool
    """Its name says that it takes edges, so that the kind ``canny`` may use it."""
    size: int
    hash: str | None = None
    problem: str | None = None
    """Why it cannot be used, as the end of a sentence that begins with its name."""


class ControlNets(Sent):
    controlnets: list[ControlNet]


class Style(Sent):
    """What ``ImageOptions.style`` may name."""

    name: str
    about: str
    """One line; of a file's style the beginning of its words."""
    group: str
    """Where it belongs: a group of the catalogue, or the name of a file."""
    source: Literal["file", "catalogue"]


class StyleFile(Sent):
    """A file in the folder of styles of which not everything can be used."""

    name: str
    problem: str
    """As the end of a sentence that begins with its name."""


class Styles(Sent):
    styles: list[Style]
    """The operator's first, then those that ship with the worker. Of two with one name the first counts."""
    problems: list[StyleFile] = []
    whole: bool = True
    """``false``: a file or the folder could not be looked at, so there may be more."""


class Wildcard(Sent):
    """A file in the folder of wildcards."""

    name: str
    """``__name__`` in a prompt; ``animals/sea`` of a file in a folder. Of a file that cannot be called (``problem``) it
    is what can be shown of its name."""
    lines: int
    """That may be drawn."""
    usable: bool
    problem: str | None = None
    """Why it cannot be used, or which of its lines cannot, as the end of a sentence that begins with its name."""


class Wildcards(Sent):
    wildcards: list[Wildcard]


class ExplainedFragment(Sent):
    text: str
    weight: float
    """0 to 2; 1 is plain."""
    part: int
    """Which part of ``.and()`` or ``.blend()``, from 0."""
    chunk: int
    """How many ``BREAK`` of its part are before it."""


class ExplainedLora(Sent):
    """As it was typed; whether there is one of that name is another question."""

    name: str
    weight: float


class ExplainedChance(Sent):
    """Something in a prompt that is drawn by chance."""

    options: list[str] = []
    """Alternatives as they are written, those that come at all; the first 20."""
    there: int
    """How many there are: alternatives, or lines of files."""
    wildcard: str | None = None
    """What is drawn is a line of these files: the name as it is called."""
    least: int = 1
    most: int = 1
    """How many are drawn."""
    joiner: str = ", "


class ExplainedPrompt(Sent):
    drawn: str | None = None
    """What was drawn with the seed, where something is drawn by chance: this is what is explained."""
    chance: list[ExplainedChance] = []
    kind: Literal["plain", "and", "blend"]
    fragments: list[ExplainedFragment]
    """What the text encoder is given, in order."""
    part_weights: list[float]
    """Of ``.and()`` and ``.blend()``; ``[1.0]`` in a plain prompt."""
    loras: list[ExplainedLora]
    marks: list[str]
    """Notations that were recognised: ``emphasis``, ``number``, ``signs``, ``BREAK``, ``AND``, ``schedule``,
    ``alternation``, ``and``, ``blend``, ``malformed``, ``clamped`` (a weight beyond 0 to 2), ``dash`` (a long dash
    behind a word, read as ``--``), ``untaken`` and ``odd`` (what looks like a weight and is none), ``lora``,
    ``double_colon``, ``variable``, ``tag``, ``regions`` and ``AND_`` (what other programs know), ``chance`` …"""
    notes: list[str]
    """What is not done as written, as sentences."""


class ExplainedPrompts(Sent):
    parser: str
    prompt: ExplainedPrompt
    negative_prompt: ExplainedPrompt | None = None
