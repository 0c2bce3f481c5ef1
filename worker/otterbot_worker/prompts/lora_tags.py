"""What a prompt asks for besides words: ``<lora:name:weight>``, and words that are names of embeddings. Linear in time.

======================  =============================================================
``<lora:name:0.8>``     that LoRA at that weight; ``<lora:name>`` is weight 1
``<lyco:name:0.8>``     the same, as older prompts spell it
``easynegative``        an embedding, where a file of that name is there
``embedding:NAME``      the same, as ComfyUI spells it, also with its file's ending
``<easynegative>``      the same, as diffusers' examples spell it
``<cat-toy>``           with its brackets: an embedding whose own word is so
======================  =============================================================

A tag is taken out of the text wherever it stands. Names are only ever compared, never made into a path.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .dialects import parse
from .schedules import StepCount

LORAS_MAX = 8
"""Different LoRAs per picture: each one is kept in memory and costs time at every layer."""
LORA_WEIGHT_MAX = 4.0
"""Beyond it, in either direction, no LoRA makes a picture."""
EMBEDDINGS_MAX = 16

Mistake = Literal["form", "two", "blocks", "weight", "unclosed", "hypernet", "many"]
MISTAKES: Mapping[Mistake, str] = {
    "form": "A LoRA is written `<lora:name:weight>`, as in `<lora:penguin:0.8>`.",
    "two": "A LoRA has one weight here, for the text encoder and the rest alike; `<lora:name:0.8:0.5>` has two. Please "
    "write one: `<lora:name:0.8>`.",
    "blocks": "Settings behind the weight of a LoRA, such as `lbw=` for single blocks or `start=` for steps, are not "
    "supported here. Please write `<lora:name:0.8>`.",
    "unclosed": "A LoRA tag lacks its closing `>`: it is written `<lora:name:weight>`.",
    "weight": f"The weight of a LoRA is a number from -{LORA_WEIGHT_MAX:g} to {LORA_WEIGHT_MAX:g}, as in "
    "`<lora:name:0.8>`.",
    "hypernet": "Hypernetworks are not supported; LoRAs are, as `<lora:name:weight>`.",
    "many": f"A picture takes at most {LORAS_MAX} LoRAs.",
}
"""Sentences that hold nothing of the prompt."""

TAG = re.compile(r"<(lora|lyco|hypernet):([^<>]*)(>?)", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:\d{1,4}(?:\.\d{0,6})?|\.\d{1,6})", re.ASCII)
_KEYED = re.compile(r"(?:te|unet)\s*=\s*", re.IGNORECASE)
_WORD = re.compile(r"<(\w(?:[\w.\-]*\w)?)>|(?<!\w)embedding:(\w(?:[\w.\-]*\w)?)|\w(?:[\w.\-]*\w)?", re.IGNORECASE)
_FILE_END = re.compile(r"\.(?:safetensors|pt|bin)\Z")


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
    for match in TAG.finditer(prompt):
        mistake = _take(match, weights)
        if mistake is not None:
            mistakes[mistake] = None
    if len(weights) > LORAS_MAX:
        mistakes["many"] = None
    if any(abs(weight) > LORA_WEIGHT_MAX for weight in weights.values()):
        mistakes["weight"] = None
    loras = tuple(LoraTag(name=name, weight=round(weight, 6)) for name, weight in weights.items())
    return Tags(TAG.sub("", prompt), loras, tuple(mistakes))


def _take(match: re.Match[str], weights: dict[str, float]) -> Mistake | None:
    kind, inside, closing = match[1].lower(), match[2], match[3]
    if not closing:
        return "unclosed"
    if kind == "hypernet":
        return "hypernet"
    name, *rest = (part.strip() for part in inside.split(":"))
    if not name:
        return "form"
    if len(rest) > 2 or any("=" in part and not _KEYED.match(part) for part in rest):
        return "blocks"
    only_unet = len(rest) == 1 and rest[0].lower().startswith("unet")
    rest = [_KEYED.sub("", part) for part in rest]
    if len(rest) == 2 and not all(map(_NUMBER.fullmatch, rest)):
        return "form"
    if len(set(map(float, rest[1:] and rest))) > 1 or only_unet:
        return "two"
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
        if match[2] is not None:
            word = named_embedding(match[2])
        elif word not in names and match[1] is not None:
            word = match[1].lower()
        if word not in names:
            continue
        if match.start() > start:
            yield Piece(text[start : match.start()], None)
        yield Piece(match[0], word)
        start = match.end()
    if start < len(text):
        yield Piece(text[start:], None)


def named_embedding(typed: str) -> str:
    """What stands behind ``embedding:``, as names are compared."""
    return _FILE_END.sub("", typed.lower())


def unknown_embeddings(prompt: str, names: Collection[str], steps: StepCount | None = None) -> bool:
    """Is one named with ``embedding:`` that is not among ``names`` (small letters)? ``steps``: as `dialects.read`."""
    return any(
        match[2] is not None and named_embedding(match[2]) not in names
        for fragment in parse(prompt, steps)
        for match in _WORD.finditer(fragment.text)
    )


def embedding_words(prompt: str, names: Collection[str], steps: StepCount | None = None) -> tuple[str, ...]:
    """Which of ``names`` (small letters) stand in the prompt, in order, each once: as the engine will find them, behind
    the marks of weight."""
    if not names:
        return ()
    found = (piece.name for fragment in parse(prompt, steps) for piece in split_words(fragment.text, names))
    return tuple(dict.fromkeys(name for name in found if name is not None))
