"""How a prompt was understood, for people: its pieces with their weights, what was recognised, what was not done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .dialects import Kind, read
from .lora_tags import MISTAKES, LoraTag, lora_tags, unknown_embeddings


class Explained(NamedTuple):
    text: str
    weight: float
    part: int
    """Of ``.and()`` or ``.blend()``, from 0."""
    chunk: int
    """Between ``BREAK``, from 0."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    kind: Kind
    fragments: tuple[Explained, ...]
    part_weights: tuple[float, ...]
    loras: tuple[LoraTag, ...]
    marks: tuple[str, ...]
    notes: tuple[str, ...]


def explain(prompt: str) -> Explanation:
    """Never raises. The texts of the fragments are what the text encoder is given."""
    tags = lora_tags(prompt)
    parsed = read(tags.text)
    fragments = tuple(
        Explained(fragment.text, fragment.weight, number, place)
        for number, part in enumerate(parsed.parts)
        for place, chunk in enumerate(part.chunks)
        for fragment in chunk
    )
    notes = parsed.notes
    notes = (*(MISTAKES[mistake] for mistake in tags.mistakes), *notes)
    if unknown_embeddings(tags.text, ()):
        notes = (*notes, "`embedding:name` is the embedding of that name where the worker has it, and words else.")
    return Explanation(
        kind=parsed.kind,
        fragments=fragments,
        part_weights=tuple(part.weight for part in parsed.parts),
        loras=tags.loras,
        marks=(*parsed.marks, *(("lora",) if tags.loras or tags.mistakes else ())),
        notes=notes,
    )
