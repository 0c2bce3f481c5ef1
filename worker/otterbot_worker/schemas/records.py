"""A finished picture, and what makes it again."""

from __future__ import annotations

from typing import Literal

from .base import Sent
from .resolved import Asked
from .resolved_parts import UsedChance, UsedEmbedding, UsedExpansion, UsedLora, UsedStyle, UsedVariation, UsedWords
from .settings import Settings
from .structure import UsedStructure


class Thumbnail(Sent):
    width: int
    height: int
    size: int
    mimetype: str
    sha256: str | None = None
    """Of the file, in hex; not in old jobs."""


class Film(Sent):
    """The early steps and the finished picture as an animated WebP: ``GET /v1/images/{id}/film``."""

    width: int
    height: int
    size: int
    mimetype: str
    sha256: str
    """Of the file, in hex."""
    frames: int
    """How many images it shows one after another, the finished picture included."""


class UsedControl(Sent):
    kind: str
    name: str
    """The ControlNet's."""
    hash: str
    """16 hex digits: a fingerprint of its file's name, size, ends and some blocks between them."""
    id: str
    """SHA-256 of the picture that steered."""
    scale: float
    start: float
    end: float


class UsedRefiner(Sent):
    name: str
    hash: str
    """16 hex digits: a fingerprint of its weights' names, sizes, ends and some blocks between them."""
    hand_over: float
    """The share of the steps that were drawn before it."""


class UsedVae(Sent):
    name: str
    hash: str
    """16 hex digits: a fingerprint of its weights' names, sizes, ends and some blocks between them."""


class UsedHires(Sent):
    """How it was drawn once more, larger."""

    scale: float
    strength: float
    steps: int
    upscaler: str
    width: int
    height: int
    """The finished picture's."""
    tile: list[int] | None = None
    """Width and height of what was drawn in one go, those of the picture where nothing was cut; not in old records."""


class Used(Settings, Sent):
    """Everything that makes the picture again."""

    prompt: str
    """As it was drawn."""
    negative_prompt: str
    model: str
    model_hash: str
    """Of a folder 16 hex digits, a fingerprint of its weights (names, sizes, ends and some blocks between them) and of
    its settings; of a single file its SHA-256."""
    sampler: str
    steps: int
    guidance_scale: float
    width: int
    height: int
    """With ``hires`` those of its first pass."""
    seed: int
    variation: UsedVariation | None = None
    """It began between the noise of ``seed`` and that of this one."""
    init_image: str | None = None
    """SHA-256 of the picture that it was drawn from."""
    strength: float | None = None
    mask: str | None = None
    """SHA-256 of the picture that said where it was drawn anew."""
    control: UsedControl | None = None
    hires: UsedHires | None = None
    upscale: int | None = None
    """It is ``init_image``, so many times as large."""
    tile: list[int] | None = None
    """With ``upscale``: width and height of what was drawn in one go; not in old records."""
    loras: list[UsedLora] = []
    embeddings: list[UsedEmbedding] = []
    refiner: UsedRefiner | None = None
    """A second model that drew the last steps."""
    vae: UsedVae | None = None
    """The decoder, where it is not the model's own."""
    guidance_rescale: float | None = None
    """The share of the guidance that was scaled back to the prompt's own contrast, which models take that begin with
    nothing but noise."""
    safety: bool = False
    """Whether the safety checker has looked at it."""
    plan: str = ""
    """How the model lay in memory: ``resident``, ``tiled``, ``offload``, ``groups``, ``quantised``. Tiles and weights
    of 8 bits (the last one) make a slightly other picture; empty in old records."""
    parser: str
    versions: dict[str, str]
    chance: UsedChance | None = None
    """Where words were drawn by chance: what from."""
    expansion: UsedExpansion | None = None
    """Where a language model wrote the prompt: what it was asked with."""
    structure: UsedStructure | None = None
    """The keys that the prompt was joined of, or that a language model was asked with."""
    styles: list[UsedStyle] = []
    """Put around ``styled``, in order."""
    styled: UsedWords | None = None
    """With ``styles``: the words before them."""


class Record(Sent):
    """``record`` of the design: in the PNG, in the sidecar and in the event."""

    v: Literal[1] = 1
    asked: Asked
    used: Used
    took: float
    """Seconds from the claim to the finished picture, loading included."""


class ImageResult(Sent):
    """A finished picture, with all that a client needs to post it without decoding it."""

    image_id: str
    filename: str
    mimetype: str
    size: int
    sha256: str | None = None
    """Of the file, in hex; not in old jobs."""
    width: int
    height: int
    blurhash: str
    thumbnail: Thumbnail
    record: Record
    notes: list[str] = []
    """What was changed, ignored or fallen back to, as sentences for people."""
    film: Film | None = None
    """Where ``request.film`` asked for it; ``notes`` say why there is none. It is deleted with the picture."""
    alt: str | None = None
    """What it shows, where ``request.describe`` asked for that and a captioner could say it: one line of 300 characters
    at most, without markup."""
