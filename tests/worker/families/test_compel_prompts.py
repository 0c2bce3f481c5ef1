"""Prompts in compel's notation make the embeddings that compel makes of them, to the last bit.

They are our own, in the manner of real ones, and none of them nests brackets deeply: there compel's grammar takes
exponential time.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from compel import CompelForSD
from engine_lab import drawer, embeds, pipe_of

from otterbot_worker.gpu.messages import Draw
from otterbot_worker.images.engine import Engine
from otterbot_worker.models.entries import ModelEntry

pytestmark = pytest.mark.filterwarnings("ignore")

WRITTEN = [
    "otter, cowboy hat",
    "a photo of an astronaut riding a horse on mars, 50mm, f/1.8",
    "otter+",
    "otter++, hat",
    "a red hat+ and a blue scarf++",
    "a red hat-- and a blue scarf",
    "a (red hat)1.3 and a (blue scarf)0.6",
    "a (red hat)++ in the snow",
    "a (red hat)+ in the (snow)-",
    "a (red hat)--- in the snow",
    "(portrait of a woman)1.1, (freckles)0.8, green eyes",
    "(oil painting)1.4, harbor at dawn",
    "harbor at dawn, (oil painting)1.4",
    "(a)1.5(b)0.5",
    "(masterpiece)+, (best quality)++, fox",
    "cinematic, (volumetric light)1.25, (grain)0.7, alley",
    "((cat)1.2 and dog)1.1",
    "(a (red)1.2 hat)1.1 on a table",
    "(otter)0 and hat",
    "(otter)1 and hat",
    "(otter)1.0, (hat)1.0",
    "Füchse im (Wald)1.2, Nebel",
    "emoji 💚 heart, (otter)1.1",
    "a cat, a dog, and all their friends",
    "half-timbered house, well-lit street",
    "100% cotton; 50/50",
    "it's a dog's life",
    '("a red cat", "a blue dog").and()',
    '("a red cat", "a (blue)1.3 dog").and()',
    '("a red cat", "a blue dog").blend(0.7, 0.3)',
    '("a red cat", "a blue dog").blend(1, 3)',
    '("otter++", "(fox)0.8 in snow").blend(0.5, 0.5)',
    "",
]
SUBJECTS = ["a sleeping otter", "an old (wooden ship)1.2", "a robot gardener+", "(two foxes)0.8 at night"]
STYLES = ["(watercolor)1.3, paper", "photo, (bokeh)0.7", "pencil++, cross hatching", "pixel art, (16 colors)1.1"]
PROMPTS = [*WRITTEN, *(f"{subject}, {style}" for subject, style in product(SUBJECTS, STYLES))]


def test_the_embeddings_are_compels(
    engine: Engine, make_task: Callable[..., Draw], entries: dict[str, ModelEntry]
) -> None:
    drawer(engine, make_task, entries, steps=1)()
    pipe: Any = pipe_of(engine)
    compel = CompelForSD(pipe)
    different = {}
    for prompt in PROMPTS:
        theirs = compel(prompt, negative_prompt="blurry").embeds
        ours = embeds(pipe, prompt, "blurry")["prompt_embeds"]
        if ours.shape != theirs.shape or not torch.equal(ours, theirs):
            different[prompt] = ours.shape, theirs.shape
    assert different == {}
