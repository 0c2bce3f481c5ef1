"""What a prompt asks for besides words: ``<lora:name:weight>``, and words that are names of embeddings. Linear in time.

======================  =============================================================
``<lora:name:0.8>``     that LoRA at that weight; ``<lora:name>`` is weight 1
``<lyco:name:0.8>``     the same, as older prompts spell it
``easynegative``        an embedding, where a file of that name is there
``<easynegative>``      the same, as diffusers' examples spell it
``<cat-toy>``           with its brackets: an embedding whose own word is so
======================  =============================================================

A tag is taken out of the text wherever it stands. Names are only ever compared, never made into a path.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .dialects import parse

LORAS_MAX = 8
"""Different LoRAs per picture: each one is kept in memory and costs time at every layer."""
LORA_WEIGHT_MAX = 4.0
"""Beyond it, in either direction, no LoRA makes a picture."""
EMBEDDINGS_MAX = 16

Mistake = Literal["form", "weight", "unclosed", "hypernet", "many"]

_TAG = re.compile(r"<(lora|lyco|hypernet):([^<>]*)(>?)", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:\d{1,4}(?:\.\d{0,6})?|\.\d{1,6})", re.ASCII)
_WORD = re.compile(r"<(\w(?:[\w.\-]*\w)?)>|\w(?:[\w.\-]*\w)?")


@dataclass(frozen=True, kw_only=True)
class LoraTag:
    name: str
    weight: float


class Tags(NamedTuple):
    """A prompt without its tags, what they ask for (a name said twice counts with both weights), and what is wrong
    with them."""

    text: str
    loras: tuple[LoraTag, ...]
    mistakes: tuple[Mistake, ...]


class Piece(NamedTuple):
    """Plain text, or (``name`` set) a word that stands for an embedding."""

    text: str
    name: str | None


def lora_tags(prompt: str) -> Tags:
    """Never raises; a tag with a mistake in it is taken out of the text as well."""
    weights: dict[str, float] = {}
    mistakes: dict[Mistake, None] = {}
    for match in _TAG.finditer(prompt):
        mistake = _take(match, weights)
        if mistake is not None:
            mistakes[mistake] = None
    if len(weights) > LORAS_MAX:
        mistakes["many"] = None
    if any(abs(weight) > LORA_WEIGHT_MAX for weight in weights.values()):
        mistakes["weight"] = None
    loras = tuple(LoraTag(name=name, weight=round(weight, 6)) for name, weight in weights.items())
    return Tags(_TAG.sub("", prompt), loras, tuple(mistakes))


def _take(match: re.Match[str], weights: dict[str, float]) -> Mistake | None:
    kind, inside, closing = match[1].lower(), match[2], match[3]
    if not closing:
        return "unclosed"
    if kind == "hypernet":
        return "hypernet"
    name, *rest = (part.strip() for part in inside.split(":"))
    if not name or len(rest) > 1:
        return "form"
    if rest and not _NUMBER.fullmatch(rest[0]):
        return "weight"
    weights[name] = weights.get(name, 0.0) + (float(rest[0]) if rest else 1.0)
    return None


def split_words(text: str, names: Collection[str]) -> Iterator[Piece]:
    """``text`` in pieces, whole words that are in ``names`` (small letters) each one of its own. A name in brackets
    is that word in brackets alone; one without them may be typed in brackets, too."""
    start = 0
    for match in _WORD.finditer(text):
        word = match[0].lower()
        if word not in names and match[1] is not None:
            word = match[1].lower()
        if word not in names:
            continue
        if match.start() > start:
            yield Piece(text[start : match.start()], None)
        yield Piece(match[0], word)
        start = match.end()
    if start < len(text):
        yield Piece(text[start:], None)


def embedding_words(prompt: str, names: Collection[str]) -> tuple[str, ...]:
    """Which of ``names`` (small letters) stand in the prompt, in order, each once: as the engine will find them, behind
    the marks of weight."""
    if not names:
        return ()
    found = (piece.name for fragment in parse(prompt) for piece in split_words(fragment.text, names))
    return tuple(dict.fromkeys(name for name in found if name is not None))
