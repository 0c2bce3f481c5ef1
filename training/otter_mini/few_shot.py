# mypy: disallow-untyped-calls=False
"""Shared by LoRA and textual inversion training: learning from a handful of pictures.

Latents are N×C×16×16 with standard deviation 1, prompts N×77 token numbers, times N of 0 … 999, as in ``diffusion``.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from . import checkpoints, diffusion, export, vae
from .dataset import Pixels
from .drawing import draw
from .recipe import Diffusion
from .scenes import Scene

Tell = Callable[[str], None]
SHIFTS = (-8, -4, 0, 4, 8)
"""Units to the side, of 128 in a picture. Multiples of four: the grid that pixel art is drawn on."""
RAISES = (-4, 0)
REPORT_EVERY = 100


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Inputs (noisy latents, times, prompts), targets and weights."""

    noisy: torch.Tensor
    times: torch.Tensor
    prompts: torch.Tensor
    velocity: torch.Tensor
    weights: torch.Tensor


class Pictures:
    """A few pictures to learn from, each in several places and wordings.

    ``texts[i]`` describes ``scenes[i]``. Holds the latents and tokens in memory.
    """

    def __init__(self, pipe: Any, scenes: Sequence[Scene], texts: Sequence[Sequence[str]]) -> None:
        size: int = pipe.vae.config.sample_size
        drawn = [np.asarray(draw(scene, size=size)) for scene in scenes]
        self._latents = torch.stack([_latents(pipe.vae, moved(picture)) for picture in drawn])
        converted = [[pipe.maybe_convert_prompt(text, pipe.tokenizer) for text in several] for several in texts]
        self._prompts = torch.from_numpy(diffusion.tokens_of(converted, pipe.tokenizer).astype(np.int64))
        self._shares: torch.Tensor = pipe.scheduler.alphas_cumprod
        self._weights = diffusion.loss_weights(Diffusion(), self._shares)

    def batch(self, count: int, chance: torch.Generator) -> Batch:
        """Every picture about as often as another; times, places and wordings by chance."""
        number, places = self._latents.shape[:2]
        which = (torch.randperm(number, generator=chance)[0] + torch.arange(count)) % number
        where = torch.randint(places, (count,), generator=chance)
        wording = torch.randint(self._prompts.shape[1], (count,), generator=chance)
        latents, prompts = self._latents[which, where], self._prompts[which, wording]
        times = diffusion.spread_times(count, chance)
        seen = diffusion.noised(Diffusion(), latents, times, self._shares, chance)
        return Batch(
            noisy=seen.noisy,
            times=times,
            prompts=prompts,
            velocity=seen.velocity,
            weights=self._weights[times],
        )


def moved(picture: Pixels) -> Pixels:
    """One H×W×3 picture in N places, and as many mirrored; its border is stretched into what comes free."""
    height, width = picture.shape[:2]
    shifts, raises = ([units * width // 128 for units in several] for several in (SHIFTS, RAISES))
    room = max(*map(abs, shifts), *map(abs, raises))
    wide = np.pad(picture, ((room, room), (room, room), (0, 0)), mode="edge")
    places = [wide[room + y : room + y + height, room + x : room + x + width] for y in raises for x in shifts]
    return np.stack([*places, *(place[:, ::-1] for place in places)])


@torch.no_grad()
def _latents(encoder: Any, pictures: Pixels) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        latents = vae.mean_latents(encoder, vae.as_input(pictures, torch.device("cpu")))
    scale: float = encoder.config.scaling_factor
    return latents.float() * scale


def read(folder: Path) -> Any:
    """The pipeline in ``folder`` with all its weights frozen. ``OSError``, ``ValueError`` if it is not whole."""
    export.quiet()
    pipe = export.read(folder)
    for part in (pipe.vae, pipe.unet, pipe.text_encoder):
        part.requires_grad_(False).eval()
    learn_fast(pipe)
    return pipe


def learn_fast(pipe: Any) -> None:
    """Plain matrix products: on CPUs the backward pass of the fused attention takes four times as long."""
    from diffusers.models.attention_processor import AttnProcessor

    pipe.unet.set_attn_processor(AttnProcessor())
    pipe.text_encoder.set_attn_implementation("eager")


def predicted(pipe: Any, noisy: torch.Tensor, times: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
    """The velocity that the model sees in each of N latents."""
    with torch.autocast("cpu", torch.bfloat16):
        words = pipe.text_encoder(prompts).last_hidden_state
        made: torch.Tensor = pipe.unet(noisy, times, words, return_dict=False)[0]
    return made.float()


def loss_of(pipe: Any, batch: Batch) -> torch.Tensor:
    """N weighted squared errors."""
    off = predicted(pipe, batch.noisy, batch.times, batch.prompts) - batch.velocity
    return off.square().mean(dim=(1, 2, 3)) * batch.weights


def descend(
    parameters: Sequence[torch.nn.Parameter],
    loss_of: Callable[[int], tuple[torch.Tensor, str]],
    *,
    steps: int,
    learning_rate: float,
    warm_up: int,
    tell: Tell,
) -> None:
    """Train ``parameters``. ``loss_of(step)`` gives the loss and a few words about it."""
    optimiser = torch.optim.AdamW(parameters, lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
    total, began = 0.0, time.monotonic()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * rate(step, steps, warm_up)
        loss, words = loss_of(step)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        total += float(loss.detach())
        if (step + 1) % REPORT_EVERY == 0:
            seconds = time.monotonic() - began
            tell(f"{step + 1}/{steps} loss {total / REPORT_EVERY:.4f} {words} after {seconds:.0f} s")
            total = 0.0


def rate(step: int, steps: int, warm_up: int) -> float:
    """Share of the learning rate: linear warm-up, then half a cosine down to nothing."""
    return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * step / steps))


def joined(batches: Sequence[Batch]) -> Batch:
    names = ("noisy", "times", "prompts", "velocity", "weights")
    return Batch(**{name: torch.cat([getattr(batch, name) for batch in batches]) for name in names})


@contextmanager
def same_bytes(threads: int) -> Iterator[None]:
    """Within it the same seed gives the same result, for that number of threads."""
    deterministic: Any = torch.utils.deterministic
    before, filled = torch.get_num_threads(), deterministic.fill_uninitialized_memory
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.use_deterministic_algorithms(True)
    deterministic.fill_uninitialized_memory = False  # it would only cost time
    try:
        yield
    finally:
        deterministic.fill_uninitialized_memory = filled
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(before)


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], notes: Mapping[str, str]) -> None:
    """Write a safetensors file whole or not at all. Metadata is sorted, so that equal tensors give equal bytes; the
    library's order is random."""
    data = save({name: tensor.detach().contiguous() for name, tensor in tensors.items()})
    size = int.from_bytes(data[:8], "little")
    head = json.loads(data[8 : 8 + size]) | {"__metadata__": {"format": "pt", **notes}}
    text = json.dumps(head, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = len(text).to_bytes(8, "little") + text + data[8 + size :]
    checkpoints.write_atomically(path, lambda file: file.write(content))
