"""Sentences about sweeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .escape import code, plain
from .jobs import count_of
from .swept_values import called, written
from .usage import command

MOST_SHOWN = 8
"""Values of an axis that a caption lists."""


def sweep_line(axes: Sequence[Mapping[str, Any]]) -> str:
    """``cfg 4, 8 across · steps 10, 20 down``: what the fields of a sheet differ in. ``axes``: of a request's body."""
    said = [_axis(axis) for axis in axes]
    if len(said) == 2:
        said = [f"{one} {way}" for one, way in zip(said, ("across", "down"), strict=True)]
    return " · ".join(said)


def _axis(axis: Mapping[str, Any]) -> str:
    values = axis["values"]
    shown = ", ".join(plain(written(value) or "nothing", 40) for value in values[:MOST_SHOWN])
    more = f" and {len(values) - MOST_SHOWN} more" if len(values) > MOST_SHOWN else ""
    name = " ".join(part for part in (called(axis), plain(str(axis.get("name") or ""), 60)) if part)
    return f"{name} {shown}{more}"


def sweep_too_many(count: int, most: int) -> str:
    return f"That sweep has {count} pictures; here I draw at most {most} in one. Please ask for fewer values."


SWEEP_NO_FILM = "A sweep comes as one sheet, so there is no film of it. Please leave out `--film`, or the sweep."
SWEEP_MODELS_OWN = "Settings that nobody typed are each model's own."


def sweep_needs_hires(prefix: str) -> str:
    return (
        "That picture has no second pass, whose strength could change. Say one as well: "
        f"{command(prefix, 'sweep hires 0.3..0.6 --hires 2')}."
    )


def sweep_of_lora(name: str | None, known: list[str]) -> str:
    """``known``: those of the picture."""
    there = ", ".join(code(one) for one in known)
    if name is None:
        return f"Which LoRA? The picture has {there}." if known else "Which LoRA? The picture has none."
    said = f"The picture has no LoRA {code(name)}"
    return f"{said}; it has {there}." if known else f"{said}: write one into its words, as `<lora:name:0.8>`."


def sweep_words_missing(words: str, prefix: str) -> str:
    return (
        f"I do not find {code(words)} among the words of that picture, so nothing can take its place. "
        f"{command(prefix, 'info')} shows them."
    )


def sweep_max_set(most: int) -> str:
    return f"A sweep in this room has at most {count_of(most, 'picture', 'pictures')}."
