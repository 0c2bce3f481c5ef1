"""Pipelines of random weights with the shape of otter-mini, small enough to learn in a test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from otter_mini import diffusion, export, few_shot, tokenizer, vae
from otter_mini.recipe import Recipe


def write_model(folder: Path) -> Path:
    return _write(Recipe.tiny(), folder)


def write_first_edition(folder: Path) -> Path:
    """What a model of the recipe can grow from: half the side, and a level less."""
    recipe = Recipe.tiny()
    return _write(replace(recipe, size=128, vae=replace(recipe.vae, channels=recipe.vae.channels[1:])), folder)


def _write(recipe: Recipe, folder: Path) -> Path:
    words = tokenizer.make(folder.parent / f"{folder.name}-words")
    both = diffusion.build(recipe, len(words))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        autoencoder = vae.new(recipe.vae, recipe.size)
    export.quiet()
    export.write(export.pipeline(autoencoder, both.text_encoder, words, both.unet), folder)
    few_shot.read(folder)  # says at once if it is not whole
    return folder
