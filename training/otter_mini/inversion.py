"""Teaches a finished model a new word, by a textual inversion: ten pictures become a few vectors for a token.

Everything else stays frozen, so the word can only name what the model already knows how to draw. Ottoline is an otter
with a crown and a yellow robe; no caption tells so, the pictures must.

Here is what it learns from, free of torch; ``inversion_training`` learns.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from .captions import naming
from .scenes import HELD_OUT_SUBJECT, Scene, sample

NAME = "ottoline"
BEGINS_AS = "otter"
"""The word from whose vector all of the token's vectors start."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    vectors: int = 3
    steps: int = 500
    batch: int = 12
    learning_rate: float = 0.02
    warm_up: int = 20
    start_noise: float = 0.3
    """Noise on the start vectors, relative to the spread of word embeddings, so that they differ."""
    wordings: int = 24


def scenes(seed: int) -> list[Scene]:
    """The ten pictures: the same clothes in every place and style, now and then with something in hand."""
    rng = random.Random(f"{seed}/inversion/scenes")
    chosen = (
        (None, "cartoon", None),
        ("beach", "cartoon", None),
        ("forest", "cartoon", "balloon"),
        ("city", "cartoon", None),
        ("night sky", "watercolor", None),
        ("sunset", "oil painting", None),
        ("snow", "pixel art", None),
        (None, "pencil drawing", "book"),
        (None, "watercolor", None),
        ("beach", "oil painting", None),
    )
    worn = {"animal": "otter", "hat": "crown", "outfit": "robe", "outfit_colour": "yellow", "face": None, "neck": None}
    return [sample(rng, **worn, place=place, style=style, item=item) for place, style, item in chosen]


def texts(scene: Scene, rng: random.Random, count: int) -> list[str]:
    """Captions that name her and her surroundings, but not her looks."""
    # A placeholder for her in captions: the one animal without synonyms.
    undressed = replace(scene, animal=HELD_OUT_SUBJECT, hat=None, outfit=None)
    return [naming(undressed, rng).lower().replace(HELD_OUT_SUBJECT, NAME) for _ in range(count)]


def notes_of(recipe: Recipe, seed: int) -> dict[str, str]:
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-v1/textual-inversion",
        "modelspec.title": "Ottoline for otter-mini",
        "modelspec.description": "An otter with a crown and a yellow robe, learned from ten drawings.",
        "modelspec.trigger_phrase": NAME,
        "modelspec.license": "MIT",
        "ss_base_model_version": "otter-mini",
        "ss_num_train_images": str(len(scenes(seed))),
        "ss_max_train_steps": str(recipe.steps),
        "ss_seed": str(seed),
    }
