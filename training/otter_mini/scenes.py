"""What can stand in a picture: the categories, a scene with all its chances taken, and what training must not see.

Free of torch and PIL. Everything random is decided here, by a ``random.Random`` that the caller seeds: a scene is
a value, and its drawing follows from it alone.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

ANIMALS = ("otter", "cat", "dog", "owl", "fox", "bear", "rabbit", "panda")
PENGUIN = "penguin"
"""Only for the LoRA: the model itself never sees one."""
SUBJECTS = (*ANIMALS, PENGUIN)
HATS = ("cowboy hat", "wizard hat", "crown", "headphones", "top hat")
OUTFITS = ("hoodie", "denim jacket", "robe", "suit")
PLACES = ("beach", "forest", "city", "night sky", "sunset", "snow")
STYLES = ("cartoon", "watercolor", "pixel art", "pencil drawing", "oil painting")
ITEMS = ("pizza", "balloon", "book")
COLOURS = ("red", "green", "blue", "yellow", "pink", "purple", "white", "gray")
"""Of hoodies, robes and balloons."""

NONE = "none"
CATEGORIES: dict[str, tuple[str, ...]] = {
    "animal": SUBJECTS,
    "hat": (NONE, *HATS),
    "outfit": (NONE, *OUTFITS),
    "place": (NONE, *PLACES),
    "style": STYLES,
    "item": (NONE, *ITEMS),
}


@dataclass(frozen=True, kw_only=True)
class Combination:
    """What a prompt names. ``None``: not named."""

    animal: str
    hat: str | None = None
    outfit: str | None = None
    place: str | None = None
    style: str | None = None
    item: str | None = None


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One picture. ``place=None`` is a plain background. ``dx``, ``dy`` in units of the 128-unit canvas."""

    animal: str
    hat: str | None
    outfit: str | None
    place: str | None
    style: str
    item: str | None
    outfit_colour: str
    item_colour: str
    dx: float
    dy: float
    scale: float
    lightness: float
    """-1 … 1: how light the fur is, within its kind."""
    warmth: float
    """-1 … 1: a shift of the fur's hue."""
    detail: int
    """Seeds the small things: clouds, windows, stars, the background's colour."""


def sample(rng: random.Random, **fixed: Any) -> Scene:
    """Any scene; ``fixed`` holds some of its fields. The same number of random draws whatever is fixed."""
    free: dict[str, Any] = {
        "animal": rng.choice(ANIMALS),
        "hat": rng.choice(HATS) if rng.random() < 0.72 else None,
        "outfit": rng.choice(OUTFITS) if rng.random() < 0.7 else None,
        "place": rng.choice(PLACES) if rng.random() < 0.75 else None,
        "style": "cartoon" if rng.random() < 0.3 else rng.choice(STYLES[1:]),
        "item": rng.choice(ITEMS) if rng.random() < 0.25 else None,
        "outfit_colour": rng.choice(COLOURS),
        "item_colour": rng.choice(COLOURS[:6]),
        "dx": rng.uniform(-9, 9),
        "dy": rng.uniform(-2, 3),
        "scale": rng.uniform(0.9, 1.06),
        "lightness": rng.uniform(-1, 1),
        "warmth": rng.uniform(-1, 1),
        "detail": rng.randrange(2**31),
    }
    return Scene(**{**free, **fixed})


def sample_training(rng: random.Random) -> Scene:
    """A scene that training may see: its animal, hat and outfit are together in no held-out combination."""
    while True:
        scene = sample(rng)
        if (scene.animal, scene.hat, scene.outfit) not in _HELD_OUT_TRIPLES:
            return scene


def labels(scene: Scene) -> dict[str, int]:
    """The index of the scene's value in each of ``CATEGORIES``."""
    return {category: values.index(getattr(scene, category) or NONE) for category, values in CATEGORIES.items()}


def plain(scene: Scene) -> Scene:
    """The same animal with nothing on and nothing around it."""
    return replace(scene, hat=None, outfit=None, place=None, style="cartoon", item=None)


def _held_out() -> tuple[Combination, ...]:
    """Forty combinations. The first 24 dress an animal with a hat and an outfit that it never wears together in
    training; the next eight have a hat and no outfit, the last eight an outfit and no hat. Each animal five times;
    a place is named in three of four, a style in four of five."""
    rng = random.Random(20261121)
    combinations: list[Combination] = []
    seen: set[tuple[str, str | None, str | None]] = {("otter", "cowboy hat", None)}  # what everybody types first
    for number in range(40):
        animal = ANIMALS[number % len(ANIMALS)]
        while True:
            hat = rng.choice(HATS) if number < 32 else None
            outfit = rng.choice(OUTFITS) if number < 24 or number >= 32 else None
            if (animal, hat, outfit) not in seen:
                break
        seen.add((animal, hat, outfit))
        place = PLACES[number * 5 % len(PLACES)] if number % 4 != 3 else None
        style = STYLES[number % len(STYLES)] if number % 5 in (0, 1, 2) or number % 2 else None
        combinations.append(Combination(animal=animal, hat=hat, outfit=outfit, place=place, style=style))
    return tuple(combinations)


HELD_OUT = _held_out()
_HELD_OUT_TRIPLES = frozenset((combination.animal, combination.hat, combination.outfit) for combination in HELD_OUT)
