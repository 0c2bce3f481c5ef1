"""A pipeline of random weights with the shape of otter-mini, small enough to learn in a test."""

from __future__ import annotations

from pathlib import Path

import torch

from otter_mini import diffusion, export, few_shot, tokenizer, vae
from otter_mini.recipe import Recipe


def write_model(folder: Path) -> Path:
    recipe = Recipe.tiny()
    words = tokenizer.make(folder.parent / f"{folder.name}-words")
    both = diffusion.build(recipe, len(words))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        autoencoder = vae.new(recipe.vae, recipe.size)
    export.quiet()
    export.write(export.pipeline(autoencoder, both.text_encoder, words, both.unet), folder)
    few_shot.read(folder)  # says at once if it is not whole
    return folder
