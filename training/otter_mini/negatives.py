"""What a negative prompt takes away: prompts, negatives, and what of the prompt is left. Free of torch.

A case is a text of a scene, a negative, and the same text without what the negative names. Most negatives name nothing
that is in the prompt: words of quality, things that nobody asked for, words that nobody knows. There all is left.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from .captions import Part, joined, parts, unknown_word
from .scenes import CATEGORIES, NONE, OUTDOORS, Scene
from .spoiling import STANDARD_NEGATIVE, WORDINGS, Spoiling
from .vocabulary import FILLERS, SYNONYMS

REMOVABLE = tuple(category for category in CATEGORIES if category != "animal")
"""What may be taken from a scene: without its animal nothing would be left."""
USUAL = ("cartoon", "day", NONE)
"""Values that are there anyway where none is named; a negative cannot take them away."""
THINGS = 0.75
"""Share of the cases whose negative names something that can be drawn."""
NAMED = 0.95
"""Of these, the share where the prompt names it, too. The model sees a negative without the prompt, cannot tell the two
cases apart and at best learns their mean: at a CFG of 5 a share of 0.85 leaves 0.75 of what the prompt's words for the
thing do, 0.95 a quarter. A thing that the prompt does not name is pushed away by an eighth more for that."""
SHORT = 0.7
"""Share of the prompts of things that are short."""
QUALITIES = tuple(
    dict.fromkeys((*STANDARD_NEGATIVE.split(", "), *(word for words in WORDINGS.values() for word in words)))
)


@dataclass(frozen=True)
class Case:
    """``kept``: what should be drawn, the ``prompt`` without what the ``negative`` names."""

    prompt: str
    negative: str
    kept: str


def cases(scene: Scene, spoiling: Spoiling | None, rng: random.Random, count: int) -> list[Case]:
    """``count`` cases for a picture of ``scene``, which may show what is to go or may not."""
    return [_case(scene, spoiling, rng) for _ in range(count)]


def _case(scene: Scene, spoiling: Spoiling | None, rng: random.Random) -> Case:
    if spoiling is not None and rng.random() < 0.5:
        told = parts(scene, rng, spoiling)
        return _told(told, [words for field, words in told if field == "quality"], ("quality",), rng)
    if rng.random() < THINGS:
        return _things(scene, rng)
    told = parts(scene, rng)
    kind = rng.random()
    if kind < 0.2:
        return _told(told, [STANDARD_NEGATIVE], (), rng)
    if kind < 0.4:
        return _told(told, [unknown_word(rng) for _ in range(rng.choice((1, 1, 2)))], (), rng)
    return _told(told, _qualities(rng), (), rng)


def _things(scene: Scene, rng: random.Random) -> Case:
    """One or two things in the negative, often among words of quality."""
    possible = [field for field in REMOVABLE if field != "time" or scene.place in OUTDOORS]
    fields = rng.sample(possible, rng.choice((1, 1, 1, 2)))
    named = rng.random() < NAMED
    asked: dict[str, Any] = {}
    words: list[str] = []
    for field in fields:
        shown = getattr(scene, field)
        # The picture may lack what is to go: then the prompt names another one than it shows, or one more.
        value = shown if shown not in (None, *USUAL) and rng.random() < 0.7 else rng.choice(_values(field))
        words.append(rng.choice(SYNONYMS[value]))
        if named:
            asked[field] = value
        elif value == shown:
            asked[field] = {"style": "cartoon", "time": "day"}.get(field)
    if rng.random() < 0.3:
        words += _qualities(rng)
    rng.shuffle(words)
    return _told(_shortened(parts(replace(scene, **asked), rng), fields, rng), words, fields if named else (), rng)


def _shortened(told: list[Part], fields: Collection[str], rng: random.Random) -> list[Part]:
    """Often the animal, ``fields`` and two more parts at most, as people write: a word does more in a short prompt."""
    if rng.random() >= SHORT:
        return told
    others = [part for part in told if part[0] not in (*fields, "animal")]
    some = rng.sample(others, min(rng.choice((0, 1, 2)), len(others)))
    return [part for part in told if part[0] in (*fields, "animal") or part in some]


def _values(field: str) -> list[str]:
    return [value for value in CATEGORIES[field] if value not in USUAL]


def _qualities(rng: random.Random) -> list[str]:
    """One to six words that say what is bad, now and then one among them that means nothing."""
    words = rng.sample(QUALITIES, rng.choice((1, 1, 1, 2, 3, 6)))
    if rng.random() < 0.3:
        words[0] = rng.choice((unknown_word(rng), rng.choice(FILLERS).replace("-", " ")))
    return words


def _told(told: list[Part], negative: list[str], gone: Collection[str], rng: random.Random) -> Case:
    """The parts with and without the fields that are ``gone``, in one order where chance will have it."""
    manner = rng.getrandbits(64)
    kept = [part for part in told if part[0] not in gone]
    return Case(joined(told, random.Random(manner)), ", ".join(negative), joined(kept, random.Random(manner)))
