# mypy: disallow-untyped-calls=False
"""Trains the autoencoder: pictures to latents of a sixteenth of the side, and back as sharply as it can.

Pictures are N×3×H×W in -1 … 1. While it learns, the latents get a little noise, measured in their own
standard deviations: the decoder then overlooks the small errors of a diffusion model, and the
encoder cannot hide details where such errors would destroy them. Afterwards the latents are brought to mean 0
and standard deviation 1 within the 1x1 convolutions around them, so no scaling factor is needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from . import checkpoints, faces, growth, loop
from .dataset import Pixels
from .recipe import Recipe
from .recipe import Vae as VaeRecipe

FOLD_OVER = 1024
"""Pictures whose latents are measured."""
ENCODED_AT_ONCE = 2
"""Pictures. So few stay in a processor's cache: 32 took twice as long for each."""


def new(recipe: VaeRecipe, size: int) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=recipe.channels,
        down_block_types=("DownEncoderBlock2D",) * len(recipe.channels),
        up_block_types=("UpDecoderBlock2D",) * len(recipe.channels),
        latent_channels=recipe.latent_channels,
        layers_per_block=1,
        norm_num_groups=recipe.norm_groups,
        mid_block_add_attention=False,
        sample_size=size,
        scaling_factor=1.0,
        force_upcast=False,
    )


@torch.no_grad()
def begin(vae: Any) -> None:
    """Random weights that let the signal through: the library's own drown it in biases, and learning starts late."""
    for module in vae.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            torch.nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    for convolution in (vae.quant_conv, vae.post_quant_conv):
        convolution.weight.zero_()
        for n in range(vae.config.latent_channels):
            convolution.weight[n, n] = 1


def as_input(pixels: Pixels, device: torch.device) -> torch.Tensor:
    """N×H×W×3 bytes to N×3×H×W in -1 … 1."""
    picture = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).to(device)
    return picture.permute(0, 3, 1, 2).float().div(127.5).sub(1)


def sample(pictures: Pixels, recipe: Recipe, count: int, name: str, step: int) -> Pixels:
    """``count`` of the pictures, those of one step of the training ``name``; some are rolled by less than a latent."""
    chance = np.random.default_rng(checkpoints.number(recipe.seed, name, step))
    some = pictures[chance.integers(len(pictures), size=count)]
    for picture in some:
        if chance.random() < recipe.vae.rolled:
            picture[:] = np.roll(picture, chance.integers(recipe.vae.factor, size=2), axis=(0, 1))
    return some


def sharpness_loss(made: torch.Tensor, wanted: torch.Tensor, recipe: VaeRecipe) -> torch.Tensor:
    """L1 and squares of the pixels' errors, and L1 of the differences between neighbours; faces count more."""
    off = made - wanted
    height, width = off.shape[-2:]
    weights = faces.importance(height, width, recipe.face_weight).to(off.device)
    down = ((off[:, :, 1:] - off[:, :, :-1]).abs() * weights[1:]).mean()
    right = ((off[..., 1:] - off[..., :-1]).abs() * weights[:, 1:]).mean()
    errors = (off.abs() + recipe.square_loss * off.square()) * weights
    return errors.mean() + recipe.gradient_loss * (down + right) / 2


def mean_latents(vae: Any, pictures: torch.Tensor) -> torch.Tensor:
    """N×C×H/f×W/f: the middle of what the encoder states."""
    mean: torch.Tensor = vae.encode(pictures).latent_dist.mean
    return mean


def started_small(recipe: Recipe, old: Any = None) -> Any:
    """The model without its outermost level before its first step: random, or ``old`` with all channels of latents."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(checkpoints.number(recipe.seed, "vae small", "start"))
        small = new(replace(recipe.vae, channels=recipe.vae.channels[1:]), recipe.size // 2)
        begin(small)
    if old is not None:
        growth.check_levels(old, recipe.vae.channels)
        growth.widen_latents(small, old)
    return small


def started(recipe: Recipe, grown_from: Any = None) -> Any:
    """Before its first step: random, or grown from the smaller one of a finished model."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(checkpoints.number(recipe.seed, "vae", "start"))
        vae = new(recipe.vae, recipe.size)
        begin(vae)
    if grown_from is not None:
        growth.grow_vae(vae, grown_from)
    return vae


def train(recipe: Recipe, directory: Path, pictures: Pixels, log: checkpoints.Log, **how: Any) -> Any:
    """The finished autoencoder, first without its outermost level; ``how``: ``device``, ``grown_from``, and to end a
    test's training before a step, ``small_stop_at`` or ``stop_at``."""
    own, device, old = recipe.vae, how.get("device", torch.device("cpu")), how.get("grown_from")

    def halved(step: int) -> torch.Tensor:
        some = sample(pictures, recipe, own.small_batch, "vae small", step)
        return F.avg_pool2d(as_input(some, device), 2)

    def full(step: int) -> torch.Tensor:
        some = as_input(sample(pictures, recipe, own.batch, "vae", step), device)
        return some.contiguous(memory_format=torch.channels_last)

    if own.small_steps:
        small = started_small(recipe, old).to(device)
        plan = plan_of(recipe, directory, "vae-small", own.small_steps, how.get("small_stop_at"))
        loop.run(plan, small, loss_function(recipe, small, halved, plan.name), log)
        old = small.cpu()
    # At the full size, with few channels, a step takes a fifth less in this order; at half the size more.
    vae = started(recipe, old).to(device, memory_format=torch.channels_last)
    plan = plan_of(recipe, directory, "vae", own.steps, how.get("stop_at"))
    loop.run(plan, vae, loss_function(recipe, vae, full, plan.name), log)
    fold(vae, recipe, pictures, device)
    return vae


def plan_of(recipe: Recipe, directory: Path, name: str, steps: int, stop_at: int | None) -> loop.Plan:
    own = recipe.vae
    return loop.Plan(
        name=name,
        path=directory / f"{name}.ckpt",
        fingerprint=recipe.fingerprint("vae"),
        steps=steps,
        learning_rate=own.learning_rate,
        last_rate=0.02,
        warm_up=own.warm_up,
        weight_decay=0.0,
        ema=own.ema,
        check_every=own.check_every,
        stop_at=stop_at,
    )


def loss_function(
    recipe: Recipe, vae: Any, pictures_of: Callable[[int], torch.Tensor], name: str
) -> Callable[[int], tuple[torch.Tensor, str]]:
    """The loss of a training step, whose pictures ``pictures_of`` gives: N×3×H×W in -1 … 1."""
    own = recipe.vae

    def loss_of(step: int) -> tuple[torch.Tensor, str]:
        wanted = pictures_of(step)
        device = wanted.device
        chance = checkpoints.generator(recipe.seed, f"{name} noise", step)
        with torch.autocast(device.type, torch.bfloat16):
            latents = mean_latents(vae, wanted).float()
            spread = latents.detach().std(dim=(0, 2, 3), keepdim=True)
            amount = torch.rand(len(wanted), 1, 1, 1, generator=chance) * own.noise
            noise = torch.randn(latents.shape, generator=chance) * amount
            made = vae.decode(latents + noise.to(device) * spread, return_dict=False)[0].float()
        l1 = float((made.detach() - wanted).abs().mean()) * 127.5 if (step + 1) % loop.REPORT_EVERY == 0 else 0.0
        loss = sharpness_loss(made, wanted, own) + own.prior * latents.square().mean()
        return loss, f"(off by {l1:.2f} of 255)"

    return loss_of


@torch.no_grad()
def fold(vae: Any, recipe: Recipe, pictures: Pixels, device: torch.device) -> None:
    """Bring the latents to mean 0 and deviation 1, and state a fixed small deviation of each."""
    vae.eval()
    starts = range(0, min(FOLD_OVER, len(pictures)), 32)
    every = torch.cat([mean_latents(vae, as_input(pictures[n : n + 32], device)).float() for n in starts])
    mean, spread = every.mean(dim=(0, 2, 3)), every.std(dim=(0, 2, 3)).clamp(min=1e-4)
    count = len(mean)
    into, back = vae.quant_conv, vae.post_quant_conv
    into.weight[:count] /= spread.view(-1, 1, 1, 1)
    into.bias[:count] = (into.bias[:count] - mean) / spread
    into.weight[count:] = 0
    into.bias[count:] = 2 * math.log(recipe.vae.posterior)
    back.bias += F.conv2d(mean.view(1, -1, 1, 1), back.weight).flatten()
    back.weight *= spread.view(1, -1, 1, 1)


@torch.no_grad()
def encode_all(vae: Any, pictures: Pixels, device: torch.device, log: checkpoints.Log) -> torch.Tensor:
    """Latents of all pictures, N×C×H/f×W/f, half precision."""
    parts = []
    # Nearly twice as fast on a CPU, without gradients.
    vae.encoder.to(memory_format=torch.channels_last)
    for first in range(0, len(pictures), ENCODED_AT_ONCE):
        seen = as_input(pictures[first : first + ENCODED_AT_ONCE], device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            latents = mean_latents(vae, seen)
        parts.append(latents.float().cpu().half())
        if first and first % 8000 == 0:
            log(f"latents {first}/{len(pictures)}")
    return torch.cat(parts)
