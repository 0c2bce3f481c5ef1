"""A job of one picture for each value of a setting, or of two."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Name, Received

MAX_FIELDS = 64
"""Pictures of a sweep."""

Swept = Literal[
    "guidance_scale", "steps", "seed", "sampler", "model", "strength", "style", "size", "lora", "variation", "hires",
    "clip_skip", "words",
]  # fmt: skip
SweptValue = int | float | Annotated[str, Field(max_length=1_000)] | tuple[int, int]


class SweepAxis(Received):
    """One setting with the values that take the place of the request's. Bounds are those of the request's field."""

    field: Swept
    """``size``: width and height. ``style``: names with commas between them, ``""`` for none. ``lora``: the weight of a
    LoRA of the prompt, 0 without it. ``variation`` and ``hires``: their strength; the request says the rest.
    ``words``: the first value stands in the prompt, and each takes its place, with the brackets and weights around it;
    ``""`` takes it out."""
    values: Annotated[tuple[SweptValue, ...], Field(min_length=2, max_length=MAX_FIELDS)]
    name: Name | None = None
    """Of the LoRA; absent, where the prompt has one only."""
