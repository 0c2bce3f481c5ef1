# mypy: disallow-untyped-calls=False
"""How far each word moves what a model predicts: one that moves nothing was not learned, however often it was said.

The mean square of the difference that a word makes to the U-Net's prediction for pure noise, where nothing is to be
seen yet and all comes from the words. In the shape of otter-mini 0.05 are glasses, 0.1 a hat, 0.7 a city.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .scenes import CATEGORIES, HELD_OUT_SUBJECT, NONE
from .vocabulary import SYNONYMS

DEAD = 0.01
"""Less is nothing: words without a meaning move about 0.002."""
USUAL = ("cartoon", "day", NONE, HELD_OUT_SUBJECT)
"""What is there without being named, and what no model knows."""
SEEDS = 8


def add_parser(subparsers: Any) -> None:
    parser: argparse.ArgumentParser = subparsers.add_parser("words", help="find words that a model has not learned")
    parser.add_argument("--model", type=Path, required=True, help="the pipeline's folder")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    """:returns: 1 where a word moves nothing, else 0"""
    from . import export

    export.quiet()
    dead = 0
    for value, figures in moved(export.read(args.model)).items():
        print(f"{value:16}" + ", ".join(f"{word} {figure:.3f}" for word, figure in figures.items()), flush=True)
        dead += sum(figure < DEAD for figure in figures.values())
    print(f"{dead} words move nothing." if dead else "Every word moves something.")
    return 1 if dead else 0


def prompts() -> Iterator[tuple[str, str, str]]:
    """A value, one of its words, and a prompt with that word. Without it the prompt is ``otter``, of ``otter`` itself
    ``cat``."""
    for category, values in CATEGORIES.items():
        for value in values:
            for word in dict.fromkeys(SYNONYMS.get(value, ())):
                if value not in USUAL:
                    yield value, word, word if category == "animal" else f"otter, {word}"


def moved(pipe: Any) -> dict[str, dict[str, float]]:
    """By value, how far each of its words moves the prediction."""
    import torch

    side = pipe.unet.config.sample_size
    shape = SEEDS, pipe.unet.config.in_channels, side, side
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    last = torch.full((SEEDS,), pipe.scheduler.config.num_train_timesteps - 1)

    def predicted(prompt: str) -> Any:
        tokens = pipe.tokenizer(prompt, padding="max_length", truncation=True, return_tensors="pt").input_ids
        words = pipe.text_encoder(tokens).last_hidden_state.expand(SEEDS, -1, -1)
        return pipe.unet(noise, last, words, return_dict=False)[0]

    found: dict[str, dict[str, float]] = {}
    with torch.inference_mode():
        otter, cat = predicted("otter"), predicted("cat")
        for value, word, prompt in prompts():
            without = cat if value == "otter" else otter
            found.setdefault(value, {})[word] = float((predicted(prompt) - without).square().mean())
    return found
