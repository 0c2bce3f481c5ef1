"""What a negative prompt takes away: prompts, negatives, and what of the prompt is left. Free of torch.

A case is a text of a scene, a negative, and the same text without what the negative names. Most negatives name nothing
that is in the prompt: words of quality, things that nobody asked for, words that nobody knows. There all is left.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass, replace

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
NAMED = 0.8
"""Of these, the share where picture and prompt have it; in the others neither has. The model sees a negative without
the prompt, but with the picture: but for the noisiest steps it can tell the two apart. When 0.95 of the prompts named
it, whatever the picture showed, it learned to take it away from all: `beach --no watercolor` became night."""
STRENGTH = {
    "hat": 6.0, "face": 6.0, "neck": 7.0, "outfit": 6.5, "item": 6.0, "place": 3.5, "time": 3.5, "style": 3.0
}  # fmt: skip
"""How many times what guidance asks for is taught, at the noisiest step; once at the last. A negative learns the mean
of what its words do in many prompts, and that is less than what they do in each; and words of small things are learned
slowly. With 1.8 everywhere `watercolor` came to 0.65 of what takes it away, `snow` to 0.66, `robe` to 0.33."""
SHORT = 0.7
"""Share of the prompts of things that are short."""
QUALITIES = tuple(
    dict.fromkeys((*STANDARD_NEGATIVE.split(", "), *(word for words in WORDINGS.values() for word in words)))
)


@dataclass(frozen=True)
class Case:
    """``kept``: what should be drawn, the ``prompt`` without what the ``negative`` names. ``strength``: as above."""

    prompt: str
    negative: str
    kept: str
    strength: float = 1.0


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
    shown = [field for field in possible if getattr(scene, field) not in (None, *USUAL)]
    named = bool(shown) and rng.random() < NAMED
    count = rng.choice((1, 1, 1, 2))
    missing = [field for field in possible if _others(scene, field)]
    fields = rng.sample(shown, min(count, len(shown))) if named else rng.sample(missing, count)
    values = [getattr(scene, field) if named else rng.choice(_others(scene, field)) for field in fields]
    words = [rng.choice(SYNONYMS[value]) for value in values]
    if rng.random() < 0.3:
        words += _qualities(rng)
    rng.shuffle(words)
    told = _shortened(parts(scene, rng), fields if named else (), rng)
    case = _told(told, words, fields if named else (), rng)
    return replace(case, strength=sum(STRENGTH[field] for field in fields) / len(fields)) if named else case


def _shortened(told: list[Part], fields: Collection[str], rng: random.Random) -> list[Part]:
    """Often the animal, ``fields`` and two more parts at most, as people write: a word does more in a short prompt."""
    if rng.random() >= SHORT:
        return told
    others = [part for part in told if part[0] not in (*fields, "animal")]
    some = rng.sample(others, min(rng.choice((0, 1, 2)), len(others)))
    return [part for part in told if part[0] in (*fields, "animal") or part in some]


def _others(scene: Scene, field: str) -> list[str]:
    """Values that the scene does not have."""
    return [value for value in CATEGORIES[field] if value not in (*USUAL, getattr(scene, field))]


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
