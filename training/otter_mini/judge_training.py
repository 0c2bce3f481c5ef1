# mypy: disallow-untyped-calls=False
"""Trains the judge on drawings of its own: other seeds than the model's, all combinations and the hedgehog among them.

Some are spoilt; of these it learns in which way they are, and nothing else. A few of its pictures show nothing (noise,
shuffled tiles). There it learns to be sure of no value, so that a smear does not pass for the likeliest animal.
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
from safetensors.torch import load_file

from . import flaws, spoiling
from .drawing import draw, spoil
from .judge import SIZE, Judge, Network, Pixels, as_tensor, write
from .scenes import COLOURED, ITEMS, NECKS, OUTFITS, PLACES, QUESTIONS, STYLES, SUBJECTS, Scene, labels, sample

log = logging.getLogger(__name__)

BATCH = 64
STRANGE = 6
"""Pictures without content in each batch."""
FRESH = 1500
"""Drawings of the final examination, never trained on."""
BLUR = 1.2
"""Pixels (sigma) of the examination's blurred drawings: a poor decoder."""
TOO_SOFT = 1.0
"""Beyond this blur pixel art's squares (four pixels) vanish, so the style is not taught; and a picture is blurred."""
STILL_SHARP = 0.65
"""Up to this blur a picture counts as clean. Between the two it is left open."""
SPOILT = 0.3
"""Share of the drawings that are spoilt."""
UNKNOWN = -100
"""What cross entropy leaves out."""
WEIGHTS = {"animal": 1.5, "spoilt": 2.0}
"""Of the hardest questions in the loss; the others have 1."""
KEPT_WHEN_SHUFFLED = ("place", "time", "style")
"""Categories still visible in shuffled tiles; not trained on those pictures."""


@dataclass(frozen=True)
class Examples:
    """Drawings N×128×128×3 and, in the order of ``QUESTIONS``, their values' indices N×Q, or ``UNKNOWN``."""

    pixels: Pixels
    targets: torch.Tensor


def run(args: argparse.Namespace) -> int:
    """:returns: 0"""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the sums of several threads differ in their last bit
    try:
        started = time.monotonic()
        network = train(args.seed, pictures=args.pictures, epochs=args.epochs, start=args.start)
        network = network.half().float()  # examine the weights as they are written, in half precision
        accuracies = examine(Judge(network), examples(f"examination {args.seed}", FRESH, spoilt=SPOILT / 2))
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


def examples(stream: str, count: int, *, spoilt: float = 0.0) -> Examples:
    """Drawings of scenes that the words ``stream`` decide; training's own streams are seeded by numbers. ``spoilt``:
    the share of them of which only that is asked."""
    rng = random.Random(f"otter-mini judge {stream}")
    pixels = np.empty((count, SIZE, SIZE, 3), np.uint8)
    targets = torch.full((count, len(QUESTIONS)), UNKNOWN)
    for index in range(count):
        scene = _scene(rng)
        how = spoiling.sample(rng, rng.choice(spoiling.KINDS)) if rng.random() < spoilt else None
        picture = draw(scene, size=SIZE)
        if how is None:
            targets[index] = torch.tensor(list(labels(scene).values()))
        else:
            picture = spoil(picture, how)
            targets[index, -1] = QUESTIONS["spoilt"].index(how.kinds[0])
        pixels[index] = np.asarray(picture)
    return Examples(pixels, targets)


def train(seed: int, *, pictures: int, epochs: int, start: Path | None = None) -> Network:
    """The same seed gives the same weights on the same machine, with one thread. ``start``: an earlier judge's file, of
    whatever questions, whose convolutions it begins with."""
    torch.manual_seed(seed)
    chance = torch.Generator().manual_seed(seed)
    started = time.monotonic()
    known = examples(f"training {seed}", pictures, spoilt=SPOILT)
    log.info("%d drawings after %.0f s", pictures, time.monotonic() - started)
    network = Network()
    if start is not None:
        _begin_with(network, start)
    network = network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
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
    found = {name: _accuracies(judge, fresh, look) for name, look in looks.items()}
    for name in ("blurred", "reduced", "flawed"):
        del found[name]["spoilt"]  # some of them are by now
    return found


def _accuracies(judge: Judge, fresh: Examples, look: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, float]:
    """Percent right of each question, where the answer is known."""
    right, asked = np.zeros(len(QUESTIONS)), np.zeros(len(QUESTIONS))
    for part in torch.arange(len(fresh.pixels)).split(256):
        pictures = look(as_tensor(fresh.pixels[part.numpy()]))
        found = judge.logits((pictures * 255).round().byte().permute(0, 2, 3, 1).numpy())
        targets = fresh.targets[part].numpy()
        asked += (targets != UNKNOWN).sum(axis=0)
        right += [np.sum(logits.argmax(axis=1) == targets[:, column]) for column, logits in enumerate(found.values())]
    shares = 100 * right / np.maximum(asked, 1)
    return {question: round(float(share), 2) for question, share in zip(QUESTIONS, shares, strict=True)}


def _begin_with(network: Network, path: Path) -> None:
    """Copy what fits of the file's convolutions and their statistics; a wider layer takes it as its first channels."""
    own = network.state_dict()
    for name, tensor in load_file(path).items():
        if name in own and not name.startswith("heads."):
            fits = tuple(slice(min(theirs, ours)) for theirs, ours in zip(tensor.shape, own[name].shape, strict=True))
            own[name][fits] = tensor[fits].float()
    network.load_state_dict(own)


def _scene(rng: random.Random) -> Scene:
    """As ``sample``, but every subject, place and thing held as often as another, and often enough to be learned."""
    return sample(
        rng,
        animal=rng.choice(SUBJECTS),
        item=rng.choice((None, None, *ITEMS, *COLOURED["item"])),
        outfit=rng.choice((None, *OUTFITS)),
        neck=rng.choice((None, *NECKS)),
        face=rng.choice((None, "glasses")),
        place=rng.choice((None, *PLACES)),
    )


def _strange(drawings: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
    """``STRANGE`` pictures of nothing; the first half are shuffled drawings."""
    half = STRANGE // 2
    mixed = flaws.shuffled(drawings[:half], chance, tile=16 if torch.rand((), generator=chance) < 0.5 else 32)
    return torch.cat([mixed, flaws.nothing(STRANGE - half, SIZE, chance)])


def _teachable(targets: torch.Tensor, softness: torch.Tensor) -> torch.Tensor:
    """The targets as the pictures are now: without a style where blur has taken it away, and blurred where it is so."""
    style, spoilt = list(QUESTIONS).index("style"), list(QUESTIONS).index("spoilt")
    targets = targets.clone()
    targets[(targets[:, style] == STYLES.index("pixel art")) & (softness > TOO_SOFT), style] = UNKNOWN
    clean = targets[:, spoilt] == 0
    targets[clean & (softness > STILL_SHARP), spoilt] = UNKNOWN
    targets[clean & (softness > TOO_SOFT), spoilt] = QUESTIONS["spoilt"].index("blurred")
    return targets


def _loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross entropy of the drawings; and towards no opinion for what shows nothing, except that it is spoilt."""
    total = torch.zeros(())
    parts = logits.split([len(values) for values in QUESTIONS.values()], dim=1)
    for column, (question, part) in enumerate(zip(QUESTIONS, parts, strict=True)):
        weight = WEIGHTS.get(question, 1.0)
        known = targets[:, column]
        off = F.cross_entropy(part[:BATCH], known, ignore_index=UNKNOWN, reduction="sum")
        total = total + weight * off / max(1, int((known != UNKNOWN).sum()))
        if question == "spoilt":
            clean = F.softmax(part[BATCH:], dim=1)[:, 0]
            undecided = -torch.log((1 - clean).clamp_min(1e-4)).sum()
        else:
            strange = part[BATCH + STRANGE // 2 :] if question in KEPT_WHEN_SHUFFLED else part[BATCH:]
            undecided = -F.log_softmax(strange, dim=1).mean(dim=1).sum()
        total = total + 0.3 * weight * undecided / STRANGE
    return total
