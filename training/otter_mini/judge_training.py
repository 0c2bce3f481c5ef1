# mypy: disallow-untyped-calls=False
"""Trains the judge on drawings of its own: other seeds than the model's, all combinations and the penguin among them.

A few of its pictures show nothing (noise, shuffled tiles). There it learns to be sure of no value, so that a smear does
not pass for the likeliest animal.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from . import flaws
from .drawing import draw
from .judge import SIZE, Judge, Network, Pixels, as_tensor, write
from .scenes import CATEGORIES, ITEMS, STYLES, SUBJECTS, Scene, labels, sample

log = logging.getLogger(__name__)

BATCH = 64
STRANGE = 6
"""Pictures without content in each batch."""
FRESH = 1500
"""Drawings of the final examination, never trained on."""
BLUR = 1.2
"""Pixels (sigma) of the examination's blurred drawings: a poor decoder."""
TOO_SOFT = 1.0
"""Beyond this blur pixel art's squares (four pixels) vanish, so the style is not taught."""
ANIMAL_WEIGHT = 1.5
"""The animal is the hardest question."""
KEPT_WHEN_SHUFFLED = ("place", "style")
"""Categories still visible in shuffled tiles; not trained on those pictures."""


@dataclass(frozen=True)
class Examples:
    """Drawings N×128×128×3 and, in the order of ``CATEGORIES``, their values' indices N×6."""

    pixels: Pixels
    targets: torch.Tensor


def run(args: argparse.Namespace) -> int:
    """:returns: 0"""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the sums of several threads differ in their last bit
    try:
        started = time.monotonic()
        network = train(args.seed, pictures=args.pictures, epochs=args.epochs)
        network = network.half().float()  # examine the weights as they are written, in half precision
        accuracies = examine(Judge(network), examples(f"examination {args.seed}", FRESH))
    finally:
        torch.set_num_threads(threads)
    args.out.mkdir(parents=True, exist_ok=True)
    path: Path = args.out / "judge.safetensors"
    notes = {"seed": str(args.seed), "pictures": str(args.pictures), "accuracies": json.dumps(accuracies)}
    write(network, path, notes)
    for kind, figures in accuracies.items():
        print(f"{kind:>9}: " + "  ".join(f"{category} {percent:.1f} %" for category, percent in figures.items()))
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB after {time.monotonic() - started:.0f} s")
    return 0


def examples(stream: str, count: int) -> Examples:
    """Drawings of scenes that the words ``stream`` decide; training's own streams are seeded by numbers."""
    rng = random.Random(f"otter-mini judge {stream}")
    scenes = [_scene(rng) for _ in range(count)]
    pixels = np.empty((count, SIZE, SIZE, 3), np.uint8)
    for index, scene in enumerate(scenes):
        pixels[index] = np.asarray(draw(scene, size=SIZE))
    return Examples(pixels, torch.tensor([[labels(scene)[category] for category in CATEGORIES] for scene in scenes]))


def train(seed: int, *, pictures: int, epochs: int) -> Network:
    """The same seed gives the same weights on the same machine, with one thread."""
    torch.manual_seed(seed)
    chance = torch.Generator().manual_seed(seed)
    started = time.monotonic()
    known = examples(f"training {seed}", pictures)
    log.info("%d drawings after %.0f s", pictures, time.monotonic() - started)
    network = Network().to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
    batches = pictures // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=epochs * batches, pct_start=0.2)
    for epoch in range(epochs):
        order = torch.randperm(pictures, generator=chance)
        total = 0.0
        for batch in order[: batches * BATCH].view(batches, BATCH):
            clean = as_tensor(known.pixels[batch.numpy()])
            soiled, softness = flaws.flawed(clean, chance)
            inputs = torch.cat([soiled, _strange(clean, chance)])
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(inputs.contiguous(memory_format=torch.channels_last))
            loss = _loss(logits.float(), _teachable(known.targets[batch], softness))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        log.info(
            "epoch %d of %d: loss %.3f after %.0f s", epoch + 1, epochs, total / batches, time.monotonic() - started
        )
    return network.to(memory_format=torch.contiguous_format).eval()  # type: ignore[no-any-return]


def examine(judge: Judge, fresh: Examples) -> dict[str, dict[str, float]]:
    """Percent right in each category: on drawings as they are, blurred, scaled down and up, and with all flaws."""
    chance = torch.Generator().manual_seed(1)
    looks: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "clean": lambda clean: clean,
        "blurred": lambda clean: flaws.blurred(clean, BLUR),
        "reduced": lambda clean: flaws.reduced(clean, 0.5),
        "flawed": lambda clean: flaws.flawed(clean, chance)[0],
    }
    return {name: _accuracies(judge, fresh, look) for name, look in looks.items()}


def _accuracies(judge: Judge, fresh: Examples, look: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, float]:
    right = np.zeros(len(CATEGORIES))
    for part in torch.arange(len(fresh.pixels)).split(256):
        pictures = look(as_tensor(fresh.pixels[part.numpy()]))
        found = judge.logits((pictures * 255).round().byte().permute(0, 2, 3, 1).numpy())
        targets = fresh.targets[part].numpy()
        right += [np.sum(logits.argmax(axis=1) == targets[:, column]) for column, logits in enumerate(found.values())]
    shares = 100 * right / len(fresh.pixels)
    return {category: round(float(share), 2) for category, share in zip(CATEGORIES, shares, strict=True)}


def _scene(rng: random.Random) -> Scene:
    """As ``sample``, but every subject as often as another, and things held often enough to be learned."""
    scene_animal, item = rng.choice(SUBJECTS), rng.choice((None, None, *ITEMS))
    return sample(rng, animal=scene_animal, item=item)


def _strange(drawings: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
    """``STRANGE`` pictures of nothing; the first half are shuffled drawings."""
    half = STRANGE // 2
    mixed = flaws.shuffled(drawings[:half], chance, tile=16 if torch.rand((), generator=chance) < 0.5 else 32)
    return torch.cat([mixed, flaws.nothing(STRANGE - half, SIZE, chance)])


def _teachable(targets: torch.Tensor, softness: torch.Tensor) -> torch.Tensor:
    """The targets, without a style where blur has taken it away. ``-100`` is what cross entropy leaves out."""
    style = list(CATEGORIES).index("style")
    targets = targets.clone()
    targets[(targets[:, style] == STYLES.index("pixel art")) & (softness > TOO_SOFT), style] = -100
    return targets


def _loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross entropy of the drawings, and towards no opinion for what shows nothing."""
    total = torch.zeros(())
    parts = logits.split([len(values) for values in CATEGORIES.values()], dim=1)
    for column, (category, part) in enumerate(zip(CATEGORIES, parts, strict=True)):
        weight = ANIMAL_WEIGHT if category == "animal" else 1.0
        total = total + weight * F.cross_entropy(part[:BATCH], targets[:, column])
        strange = part[BATCH + STRANGE // 2 :] if category in KEPT_WHEN_SHUFFLED else part[BATCH:]
        undecided = -F.log_softmax(strange, dim=1).mean(dim=1).sum()
        total = total + 0.3 * weight * undecided / STRANGE
    return total
