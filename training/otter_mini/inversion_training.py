# mypy: disallow-untyped-calls=False
"""Trains the vectors of a textual inversion and writes them; ``inversion`` says from what."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from . import checkpoints, few_shot
from .few_shot import Pictures, Tell
from .inversion import BEGINS_AS, NAME, Recipe, scenes, texts


def start(pipe: Any, recipe: Recipe, seed: int) -> torch.Tensor:
    """Vectors×width."""
    table: torch.Tensor = pipe.text_encoder.get_input_embeddings().weight.detach()
    word = pipe.tokenizer(BEGINS_AS, add_special_tokens=False)["input_ids"]
    spread = table[word].std()
    noise = torch.randn((recipe.vectors, table.shape[1]), generator=checkpoints.generator(seed, "inversion start"))
    return table[word].mean(dim=0) + noise * spread * recipe.start_noise


def learn(pipe: Any, recipe: Recipe, seed: int, tell: Tell) -> torch.Tensor:
    """Adds the token to the pipeline; returns its vectors, vectors×width."""
    vectors = torch.nn.Parameter(start(pipe, recipe, seed))
    pipe.load_textual_inversion({NAME: vectors.detach().clone()}, token=NAME)
    words = random.Random(f"{seed}/inversion/captions")
    subject = scenes(seed)
    pictures = Pictures(pipe, subject, [texts(scene, words, recipe.wordings) for scene in subject])
    first = pipe.tokenizer.convert_tokens_to_ids(NAME)
    table = pipe.text_encoder.get_input_embeddings()
    hook = table.register_forward_hook(_replacing(first, vectors))

    def loss_of(step: int) -> tuple[torch.Tensor, str]:
        chance = checkpoints.generator(seed, "inversion", step)
        return few_shot.loss_of(pipe, pictures.batch(recipe.batch, chance)).mean(), ""

    few_shot.descend(
        [vectors],
        loss_of,
        steps=recipe.steps,
        learning_rate=recipe.learning_rate,
        warm_up=recipe.warm_up,
        tell=tell,
    )
    hook.remove()
    with torch.no_grad():
        table.weight[first : first + recipe.vectors] = vectors
    return vectors.detach()


def _replacing(first: int, vectors: torch.Tensor) -> Callable[..., torch.Tensor]:
    """A hook for the table of embeddings: tokens from ``first`` on are ``vectors``. The table itself has no gradient,
    which would be a hundred times as large."""

    def hook(_module: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        tokens = inputs[0]
        learned = F.embedding((tokens - first).clamp(min=0), vectors)
        return torch.where((tokens >= first).unsqueeze(-1), learned, output)

    return hook


def write(vectors: torch.Tensor, path: Path, notes: Mapping[str, str]) -> None:
    """In the form of A1111: one tensor by the name of ``emb_params``, and the file's name is the token."""
    few_shot.write_tensors(path, {"emb_params": vectors}, notes)
