"""Sentences about sweeps."""

from __future__ import annotations

from .escape import code
from .jobs import count_of
from .usage import command


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
