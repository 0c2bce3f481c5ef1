"""Values of options that have parts: a variation, a ControlNet, a hires pass. And the words that a shape can be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

MAX_SEED = 2**32 - 1
MAX_PROMPT = 4_000
MAX_NAME = 255
MAX_KIND = 100

SAME = "same"
RANDOM = "random"
"""Words for a seed."""

UPSCALERS = ("latent", "lanczos")
FACTORS = (2, 4)
"""How many times as large ``upscale`` makes a picture."""
SHAPES = ("square", "portrait", "landscape")
SHAPE = 4
"""Maximum aspect ratio."""

_SHAPE = re.compile(r"([1-9][0-9]{0,2}):([1-9][0-9]{0,2})", re.ASCII)


@dataclass(frozen=True)
class WordChange:
    """Words to be added to a prompt, or to be taken out of it."""

    words: str
    added: bool


@dataclass(frozen=True)
class KeyChange:
    """Another value of a key of a structured prompt; ``None``: the key goes."""

    name: str
    value: str | tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One direction of a sweep."""

    option: str
    """The flag's name, ``lora`` or ``words``."""
    values: tuple[Any, ...]
    """As the flag's kind reads them."""
    name: str | None = None
    """Of the LoRA, where it was said."""


@dataclass(frozen=True, kw_only=True)
class Variation:
    """Another seed, and the interpolation towards it: above 0, up to 1."""

    seed: int | None = None
    """``None``: any."""
    strength: float


@dataclass(frozen=True, kw_only=True)
class Control:
    """A picture as the input of a ControlNet."""

    kind: str
    """``canny``: the edges of the picture; else the name of a ControlNet, which gets the picture as it is."""
    scale: float | None = None
    """The ControlNet's scale, from 0; ``None``: the usual one, which is 1."""


@dataclass(frozen=True, kw_only=True)
class Hires:
    """A second pass at ``scale`` times the size. ``None``: the default."""

    scale: float
    strength: float | None = None
    """Its denoising strength."""
    upscaler: str | None = None
    """One of ``UPSCALERS``."""
    steps: int | None = None
    """Known from records only."""


def is_kind(name: str) -> bool:
    """Can it be the name of a ControlNet?"""
    return 0 < len(name) <= MAX_KIND and name.isprintable()


def is_shape(text: str) -> bool:
    """``3:2`` from 1:4 to 4:1, or one of the words."""
    if text in SHAPES:
        return True
    match = _SHAPE.fullmatch(text)
    wide, high = (int(match[1]), int(match[2])) if match is not None else (0, 0)
    return 0 < wide <= SHAPE * high and high <= SHAPE * wide
