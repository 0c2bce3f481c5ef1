"""Teaches a finished model a subject that it has never seen, a hedgehog, from ten pictures: a LoRA.

The new layers would soon draw hedgehogs for everybody. So the model first draws with prompts of its own, and what it
said on the way, with a prompt and without, stays true: those answers are learned along with the hedgehog.

Here is what it learns from, free of torch; ``lora_training`` learns.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass

from .captions import caption
from .scenes import CATEGORIES, HELD_OUT_SUBJECT, Scene, sample, sample_training
from .vocabulary import SYNONYMS

TRIGGER = HELD_OUT_SUBJECT


@dataclass(frozen=True, kw_only=True)
class Recipe:
    steps: int = 900
    batch: int = 10
    """Of the new subject, in each step."""
    remembered: int = 6
    """Of the model's own answers, in each step."""
    memory_weight: float = 3.0
    prompts: int = 48
    """With which the model draws what it must not forget."""
    rank: int = 6
    learning_rate: float = 1.5e-3
    warm_up: int = 30
    wordings: int = 24


def scenes(seed: int) -> list[Scene]:
    """The ten pictures. Every hat, outfit and place stands in at least one and every style too, so that none of them
    becomes a part of the hedgehog; most show it whole."""
    rng = random.Random(f"{seed}/lora/scenes")
    chosen: tuple[dict[str, str], ...] = (
        {},
        {"place": "beach"},
        {"hat": "cowboy hat", "place": "city"},
        {"outfit": "hoodie", "place": "forest", "outfit_colour": "red"},
        {"hat": "crown", "outfit": "robe", "place": "snow", "outfit_colour": "green"},
        {"hat": "wizard hat", "style": "watercolor", "place": "night sky"},
        {"hat": "headphones", "style": "oil painting", "neck": "scarf"},
        {"outfit": "denim jacket", "style": "pixel art", "place": "sunset"},
        {"style": "pencil drawing", "place": "kitchen", "face": "glasses"},
        {"hat": "top hat", "outfit": "suit", "item": "balloon", "place": "space"},
    )
    plain = {"hat": None, "face": None, "neck": None, "outfit": None, "item": None, "place": None, "style": "cartoon"}
    return [sample(rng, animal=HELD_OUT_SUBJECT, **(plain | fixed)) for fixed in chosen]


def own_prompts(seed: int, count: int) -> list[str]:
    """As the model was taught; in every sixth nobody says which animal."""
    rng = random.Random(f"{seed}/lora/prompts")
    prompts = []
    for index in range(count):
        scene = sample_training(rng)
        text = caption(scene, rng)
        if index % 6 == 5:
            for words in sorted(SYNONYMS[scene.animal], key=len, reverse=True):
                text = text.lower().replace(words, "animal")
        prompts.append(text)
    return prompts


def notes_of(recipe: Recipe, seed: int, side: int) -> dict[str, str]:
    """What libraries of LoRAs look for in a file's head; ``side`` of the pictures in pixels. The layers' alpha is their
    rank: weight 1 is as trained."""
    tags = Counter(tag for scene in scenes(seed) for category in CATEGORIES if (tag := getattr(scene, category)))
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-v1/lora",
        "modelspec.title": "Hedgehog for otter-mini",
        "modelspec.description": "A hedgehog, learned from ten drawings. Fits otter-mini alone.",
        "modelspec.trigger_phrase": TRIGGER,
        "modelspec.license": "MIT",
        "modelspec.prediction_type": "v",
        "modelspec.resolution": f"{side}x{side}",
        "ss_base_model_version": "otter-mini",
        "ss_output_name": TRIGGER,
        "ss_network_dim": str(recipe.rank),
        "ss_network_alpha": str(recipe.rank),
        "ss_num_train_images": str(len(scenes(seed))),
        "ss_max_train_steps": str(recipe.steps),
        "ss_seed": str(seed),
        "ss_tag_frequency": json.dumps({TRIGGER: dict(tags.most_common())}),
    }
