"""What can stand in a picture: the categories, a scene with all its chances taken, and what training must not see.

Free of torch and PIL. Everything random is decided here, by a ``random.Random`` that the caller seeds: a scene is
a value, and its drawing follows from it alone.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from .spoiling import KINDS as SPOILT

ANIMALS = ("otter", "cat", "dog", "owl", "fox", "bear", "rabbit", "panda", "penguin", "robot")
"""Subjects. The robot counts as one: it stands where they stand and wears what they wear."""
HELD_OUT_SUBJECT = "hedgehog"
"""Only for the LoRA: the model itself never sees one."""
SUBJECTS = (*ANIMALS, HELD_OUT_SUBJECT)
HATS = ("cowboy hat", "wizard hat", "crown", "headphones", "top hat")
FACES = ("glasses",)
NECKS = ("scarf", "bow tie")
OUTFITS = ("hoodie", "denim jacket", "robe", "suit")
PLACES = ("beach", "forest", "city", "night sky", "sunset", "snow", "kitchen", "space")
OUTDOORS = ("beach", "forest", "city", "snow")
"""Places with a day and a night."""
TIMES = ("day", "night")
COLOURLESS = "pencil drawing"
STYLES = ("cartoon", "watercolor", "pixel art", "pencil drawing", "oil painting")
ITEMS = ("pizza", "balloon", "book", "umbrella", "guitar")
COLOURS = ("red", "green", "blue", "yellow", "pink", "purple", "white", "gray")
COLOURED: dict[str, tuple[str, ...]] = {
    "neck": ("scarf", "bow tie"),
    "outfit": ("hoodie", "robe"),
    "item": ("balloon", "umbrella"),
}
"""By category, what comes in every colour; the scene's field is the category's name with ``_colour``."""

NONE = "none"
STANDS = (-8.0, 0.0, 8.0)
"""How far from the middle the animal may stand, in units of the canvas. A latent is eight of them wide: so an eye lies
in the same way in its latents wherever the animal stands. Of animals that stood anywhere, half had broken eyes."""
CATEGORIES: dict[str, tuple[str, ...]] = {
    "animal": SUBJECTS,
    "hat": (NONE, *HATS),
    "face": (NONE, *FACES),
    "neck": (NONE, *NECKS),
    "outfit": (NONE, *OUTFITS),
    "item": (NONE, *ITEMS),
    "place": (NONE, *PLACES),
    "time": (NONE, *TIMES),
    "style": STYLES,
}
"""What can stand in a picture; the keys are fields of ``Scene``."""
QUESTIONS: dict[str, tuple[str, ...]] = {
    **CATEGORIES,
    **{f"{category}_colour": (NONE, *COLOURS) for category in COLOURED},
    "spoilt": (NONE, *SPOILT),
}
"""What the judge is asked about a picture: all of that, the colour of each garment, and whether it is spoilt."""


@dataclass(frozen=True, kw_only=True)
class Combination:
    """What a prompt names. ``None``: not named."""

    animal: str
    hat: str | None = None
    face: str | None = None
    neck: str | None = None
    outfit: str | None = None
    item: str | None = None
    place: str | None = None
    time: str | None = None
    style: str | None = None
    neck_colour: str | None = None
    outfit_colour: str | None = None
    item_colour: str | None = None


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One picture. ``place=None`` is a plain background; ``time`` is that of ``OUTDOORS``, elsewhere ``None``.
    ``dx``: how far to the right of the middle it stands, in units of the 128-unit canvas."""

    animal: str
    hat: str | None
    face: str | None
    neck: str | None
    outfit: str | None
    item: str | None
    place: str | None
    time: str | None
    style: str
    neck_colour: str
    outfit_colour: str
    item_colour: str
    dx: float
    lightness: float
    """-1 … 1: how light the fur is, within its kind."""
    warmth: float
    """-1 … 1: a shift of the fur's hue."""
    detail: int
    """Seeds the small things: clouds, windows, stars, the background's colour."""


def sample(rng: random.Random, **fixed: Any) -> Scene:
    """Any scene; ``fixed`` holds some of its fields. The same number of random draws whatever is fixed. A time that is
    not fixed follows from the place: ``None`` where there is no day and night."""
    free: dict[str, Any] = {
        "animal": rng.choice(ANIMALS),
        "hat": rng.choice(HATS) if rng.random() < 0.65 else None,
        "face": rng.choice(FACES) if rng.random() < 0.22 else None,
        "neck": rng.choice(NECKS) if rng.random() < 0.35 else None,
        "outfit": rng.choice(OUTFITS) if rng.random() < 0.6 else None,
        "item": rng.choice(ITEMS) if rng.random() < 0.35 else None,
        "place": rng.choice(PLACES) if rng.random() < 0.78 else None,
        "time": "night" if rng.random() < 0.35 else "day",
        "style": "cartoon" if rng.random() < 0.3 else rng.choice(STYLES[1:]),
        "neck_colour": rng.choice(COLOURS),
        "outfit_colour": rng.choice(COLOURS),
        "item_colour": rng.choice(COLOURS),
        "dx": rng.choice(STANDS),
        "lightness": rng.uniform(-1, 1),
        "warmth": rng.uniform(-1, 1),
        "detail": rng.randrange(2**31),
    }
    values = {**free, **fixed}
    if values["place"] not in OUTDOORS and "time" not in fixed:
        values["time"] = None
    return Scene(**values)


def sample_training(rng: random.Random) -> Scene:
    """A scene that training may see: its animal, hat and outfit are together in no held-out combination."""
    while True:
        scene = sample(rng)
        if (scene.animal, scene.hat, scene.outfit) not in _HELD_OUT_TRIPLES:
            return scene


def value_of(scene: Scene, question: str) -> str:
    """The scene's value in one of ``QUESTIONS``. A colour is ``NONE`` where nothing has one, and where a pencil
    draws; a drawing as such is not spoilt."""
    if question == "spoilt":
        return NONE
    category = question.removesuffix("_colour")
    if category != question and (scene.style == COLOURLESS or getattr(scene, category) not in COLOURED[category]):
        return NONE
    return getattr(scene, question) or NONE


def labels(scene: Scene) -> dict[str, int]:
    """The index of the scene's value in each of ``QUESTIONS``."""
    return {question: values.index(value_of(scene, question)) for question, values in QUESTIONS.items()}


def plain(scene: Scene) -> Scene:
    """The same animal with nothing on and nothing around it."""
    bare = dict.fromkeys(("hat", "face", "neck", "outfit", "item", "place", "time"))
    return replace(scene, **bare, style="cartoon")  # type: ignore[arg-type]


def _held_out() -> tuple[Combination, ...]:
    """Sixty combinations. The first 40 dress an animal with a hat and an outfit that it never wears together in
    training; the next ten have a hat and no outfit, the last ten an outfit and no hat. Each animal six times. Glasses,
    something at the neck, something held, a place, its time, a style and colours are named in some."""
    rng = random.Random(20261130)
    combinations: list[Combination] = []
    seen: set[tuple[str, str | None, str | None]] = {("otter", "cowboy hat", None)}  # what everybody types first
    for number in range(60):
        animal = ANIMALS[number % len(ANIMALS)]
        while True:
            hat = rng.choice(HATS) if number < 50 else None
            outfit = rng.choice(OUTFITS) if number < 40 or number >= 50 else None
            if (animal, hat, outfit) not in seen:
                break
        seen.add((animal, hat, outfit))
        chosen: dict[str, str | None] = {
            "face": "glasses" if number % 4 == 1 else None,
            "neck": NECKS[number // 3 % 2] if number % 3 == 0 else None,
            "item": ITEMS[number // 3 % len(ITEMS)] if number % 3 == 2 else None,
            "place": PLACES[(number * 3 + number // 8) % len(PLACES)] if number % 4 != 3 else None,
            "style": STYLES[(number + number // 5) % len(STYLES)] if number % 2 or number % 5 == 0 else None,
        }
        chosen["time"] = TIMES[number // 2 % 2] if chosen["place"] in OUTDOORS and number % 5 < 3 else None
        worn = {**chosen, "outfit": outfit}
        for category, things in COLOURED.items():
            named = worn[category] in things and chosen["style"] != COLOURLESS and rng.random() < 0.8
            chosen[f"{category}_colour"] = rng.choice(COLOURS) if named else None
        combinations.append(Combination(animal=animal, hat=hat, outfit=outfit, **chosen))
    return tuple(combinations)


HELD_OUT = _held_out()
_HELD_OUT_TRIPLES = frozenset((combination.animal, combination.hat, combination.outfit) for combination in HELD_OUT)
