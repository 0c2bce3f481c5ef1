"""What a person can ask of a picture, as types; the bounds of each value; what was wrong with what was typed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

MAX_SEED = 2**32 - 1
STEPS = (1, 200)
GUIDANCE = (0.0, 30.0)
SIDE = (16, 4096)
COUNT = (1, 8)
STRENGTH = 1.0
"""The most; above 0."""
STEERING = 2.0
"""The most of a ControlNet's scale; from 0."""
LARGER = (1.0, 4.0)
"""How many times as large a second pass is."""
UPSCALERS = ("latent", "lanczos")
FACTORS = (2, 4)
"""Of `upscale`."""
MAX_PROMPT = 4_000
MAX_NAME = 255
MAX_KIND = 100

SHAPES = ("square", "portrait", "landscape")
SHAPE = 4
"""The longest side over the shortest one."""

_NO_OPTIONS = ("inpaint", "explain", "control", "upscale")
"""What the worker does not know as an option of a picture: without the picture that it is about it says nothing."""

_SHAPE = re.compile(r"([1-9][0-9]{0,2}):([1-9][0-9]{0,2})", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Variation:
    """Another seed, and how far from a picture's own towards it: above 0, up to 1."""

    seed: int | None = None
    """``None``: any."""
    strength: float


@dataclass(frozen=True, kw_only=True)
class Control:
    """How a picture steers what is drawn."""

    kind: str
    """``canny``: by its edges; else the name of a ControlNet, which takes it as it is."""
    scale: float | None = None
    """How much, from 0; ``None``: as usual, which is 1."""


@dataclass(frozen=True, kw_only=True)
class Hires:
    """A second pass: the picture so many times as large, drawn once more. ``None``: as usual."""

    scale: float
    strength: float | None = None
    """How much of it changes."""
    upscaler: str | None = None
    """One of ``UPSCALERS``."""
    steps: int | None = None
    """Known from records only."""

    def typed(self) -> dict[str, Any]:
        """With the worker's names, without what is as usual."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class DrawOptions:
    """What a person typed; ``None`` is "not typed"."""

    prompt: str | None = None
    negative_prompt: str | None = None
    """``""`` (typed as ``--no ""``): none at all, not even the model's own."""
    steps: int | None = None
    guidance_scale: float | None = None
    width: int | None = None
    height: int | None = None
    aspect: str | None = None
    """``3:2``, ``square``, ``portrait``, ``landscape``: the worker makes a size of it. Never together with a size."""
    seed: int | Literal["same", "random"] | None = None
    variation: Variation | None = None
    model: str | None = None
    sampler: str | None = None
    count: int | None = None
    strength: float | None = None
    """How much of the picture to start from changes."""
    hires: Hires | None = None
    upscale: int | None = None
    """The picture to start from, so many times as large; no flag."""
    inpaint: bool | None = None
    """Only what is transparent in the picture to start from changes."""
    control: Control | None = None
    """The picture steers what is drawn, which does not start from it then."""
    explain: bool | None = None
    """Not drawn: how the worker reads the prompt is said instead."""

    def asked(self) -> dict[str, Any]:
        """Only what was typed, with the worker's names; a seed, and a variation, only if its seed was a number."""
        typed = {name: value for name, value in vars(self).items() if value is not None and name not in _NO_OPTIONS}
        if not isinstance(self.seed, int):
            typed.pop("seed", None)
        if self.variation is not None:
            typed["variation"] = vars(self.variation)
            if self.variation.seed is None:
                del typed["variation"]
        if self.hires is not None:
            typed["hires"] = self.hires.typed()
        return typed


@dataclass(frozen=True, kw_only=True)
class UsageProblem:
    """Why what was typed cannot be used; ``texts`` makes a sentence of it."""

    code: Literal[
        "unknown_flag", "no_value", "bad_value", "too_large", "twice", "conflict", "no_prompt", "no_text", "stray_text",
        "glued", "one_dash",
    ]  # fmt: skip
    flag: str = ""
    """Without dashes. For ``unknown_flag`` as typed, shortened; for ``glued``, ``one_dash`` with dashes and value."""
    near: tuple[str, ...] = ()
    """For ``unknown_flag`` what may have been meant, for ``conflict`` the flag that says something else, for ``glued``
    and ``one_dash`` the flag and its value."""


@dataclass(frozen=True, kw_only=True)
class Overlooked:
    """What looks like a flag and was read as words; ``texts`` makes a sentence of it, under the picture."""

    form: Literal["glued", "one_dash", "spaced"]
    """Directly behind a word; with one dash only; with a space behind its dashes."""
    typed: str
    """With its dashes, shortened."""
    flag: str


def is_kind(name: str) -> bool:
    """What can be the name of a ControlNet."""
    return 0 < len(name) <= MAX_KIND and name.isprintable()


def is_shape(text: str) -> bool:
    """``3:2`` from 1:4 to 4:1, or one of the words."""
    if text in SHAPES:
        return True
    match = _SHAPE.fullmatch(text)
    wide, high = (int(match[1]), int(match[2])) if match is not None else (0, 0)
    return 0 < wide <= SHAPE * high and high <= SHAPE * wide
