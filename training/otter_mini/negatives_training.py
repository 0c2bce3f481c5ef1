# mypy: disallow-untyped-calls=False
"""Teaches a trained model what a negative prompt means.

Guidance draws with ``negative + w * (prompt - negative)``. A model that learned from captions alone has hardly seen
what people write into a negative prompt: words without a meaning, or a thing without an animal, give a prediction far
from the empty prompt's, and guidance multiplies the distance. Here the model is its own teacher. With a negative it
should draw what it draws now with the empty one and with what is left of the prompt (``kept``)::

    negative + w * (prompt - negative) == empty + w * (kept - empty)

so what the model predicts for the negative alone is brought to ``empty + w / (w - 1) * (prompt - kept)``. Where nothing
is to go, that is the empty prompt. Prompts themselves are held where they are.

Only what reads the words learns: the text encoder and the layers of cross-attention. The rest drew well without it.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from . import checkpoints, dataset, diffusion, loop, negatives
from .diffusion import Both
from .recipe import Recipe

Texts = npt.NDArray[np.int16]
USUAL_SIZE, SIZE_FLOOR = 0.15, 0.05
"""Mean squares of what words change in a prediction: 0.05 glasses, 0.13 a hat, 0.77 a city, at the noisiest step."""


def texts_of(recipe: Recipe, tokenizer: Any) -> tuple[Texts, torch.Tensor]:
    """For each of the first pictures N×cases×3×77 tokens: prompt, negative, kept; and N×cases strengths."""
    own = recipe.negatives
    texts: list[list[str]] = []
    strengths: list[list[float]] = []
    for index in range(min(own.pictures, recipe.data.pictures)):
        chance = random.Random(f"{recipe.seed}/negatives/{index}")
        scene = dataset.scene_of(recipe.seed, index)
        spoiling = dataset.spoiling_of(recipe.seed, index, recipe.data.spoilt)
        several = negatives.cases(scene, spoiling, chance, own.cases)
        texts += [[case.prompt, case.negative, case.kept] for case in several]
        strengths.append([case.strength for case in several])
    tokens = diffusion.tokens_of(texts, tokenizer)
    return tokens.reshape(-1, own.cases, *tokens.shape[1:]), torch.tensor(strengths)


def learners(both: Both) -> None:
    """Leave what reads the words free to learn, and hold everything else."""
    for name, parameter in both.unet.named_parameters():
        parameter.requires_grad_(".attn2." in name)


def times_of(count: int, chance: torch.Generator) -> torch.Tensor:
    """Time steps, the noisy ones more often, in proportion to their number: there it is settled what is to be seen."""
    even = (diffusion.spread_times(count, chance) + 0.5) / diffusion.TIME_STEPS
    return (even.sqrt() * diffusion.TIME_STEPS).long()


def loss_function(
    recipe: Recipe,
    both: Both,
    latents: torch.Tensor,
    texts: Texts,
    strengths: torch.Tensor,
    empty: Any,
    device: torch.device,
) -> Callable[[int], tuple[torch.Tensor, str]]:
    """The loss of a step of ``both``, which is copied as it is now to be its own teacher."""
    own = recipe.negatives
    teacher = copy.deepcopy(both).eval().requires_grad_(False)
    shares = diffusion.signal_shares()
    blank = torch.as_tensor(empty)
    factor = own.guidance / (own.guidance - 1)

    def loss_of(step: int) -> tuple[torch.Tensor, str]:
        chance = checkpoints.generator(recipe.seed, "negatives", step)
        which = torch.randint(len(texts), (own.batch,), generator=chance)
        case = torch.randint(texts.shape[1], (own.batch,), generator=chance)
        prompt, negative, kept = torch.from_numpy(texts[which.numpy(), case.numpy()]).long().unbind(1)
        times = times_of(own.batch, chance)
        noisy = diffusion.noised(recipe.diffusion, latents[which].float(), times, shares, chance).noisy
        noisy, times = noisy.to(device), times.to(device)
        nothing, names = blank.expand_as(prompt), (prompt != kept).any(dim=1)
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
            said = teacher(noisy.repeat(3, 1, 1, 1), times.repeat(3), torch.cat([nothing, prompt, kept]).to(device))
        unsaid, full, rest = said.float().chunk(3)
        # One of the three is held in place beside each negative.
        held = torch.randint(3, (own.batch,), generator=chance).to(device)
        texts_held = torch.stack([nothing, prompt, kept])[held.cpu(), torch.arange(own.batch)]
        wanted_held = torch.stack([unsaid, full, rest])[held, torch.arange(own.batch, device=device)]
        # Most at the noisiest step, once the factor at the last.
        much = 1 + (strengths[which, case].to(device) - 1) * times / diffusion.TIME_STEPS
        wanted = torch.cat([unsaid + factor * much.view(-1, 1, 1, 1) * (full - rest), wanted_held])
        with torch.autocast(device.type, torch.bfloat16):
            made = both(noisy.repeat(2, 1, 1, 1), times.repeat(2), torch.cat([negative, texts_held]).to(device))
        learned, kept_still = (made.float() - wanted).square().mean(dim=(1, 2, 3)).chunk(2)
        loss = (learned * importance(full - rest, names.to(device))).mean() + own.held_weight * kept_still.mean()
        told = (step + 1) % loop.REPORT_EVERY == 0
        plain = f"(negatives {float(learned.detach().mean()):.4f}, held {float(kept_still.detach().mean()):.4f})"
        return loss, plain if told else ""

    return loss_of


def importance(difference: torch.Tensor, names: torch.Tensor) -> torch.Tensor:
    """How much each negative counts, by what it is to take away (N×C×H×W): glasses are a twentieth of what a city is,
    and are to go as surely. 1 where it ``names`` nothing."""
    size = difference.square().mean(dim=(1, 2, 3))
    return torch.where(names, USUAL_SIZE / (size + SIZE_FLOOR), 1.0)


def plan_of(recipe: Recipe, directory: Path, stop_at: int | None = None) -> loop.Plan:
    own = recipe.negatives
    return loop.Plan(
        name="negatives",
        path=directory / "negatives.ckpt",
        fingerprint=recipe.fingerprint("negatives"),
        steps=own.steps,
        learning_rate=own.learning_rate,
        last_rate=own.last_rate,
        warm_up=own.warm_up,
        weight_decay=0.0,
        ema=own.ema,
        check_every=own.check_every,
        stop_at=stop_at,
    )
