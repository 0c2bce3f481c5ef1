# mypy: disallow-untyped-calls=False
"""Variations: the noise that a picture begins with, between that of its own seed and that of another one.

As in AUTOMATIC1111's web UI (``slerp`` and ``ImageRNG.first`` in ``modules/rng.py``: subseed and subseed strength), but
with one angle for the whole tensor, where that one takes it row by row. In so many dimensions both are close to a right
angle, and one of the whole is the same however a pipeline packs its latents. Only the first noise is between the two:
what some samplers add at each step comes from the picture's own seed, there as here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.utils.torch_utils import randn_tensor

from ...gpu.messages import Draw
from .. import diffusers_private

_PARALLEL = 1e-6
"""Radians between two noises that are the same one."""


def settled(task: Draw) -> Draw:
    """Without a variation where it is one of the two seeds alone: strength 0 is the picture's own, 1 the other one."""
    variation = task.variation
    if variation is None or 0.0 < variation.strength < 1.0:
        return task
    seed = variation.seed if variation.strength == 1.0 else task.seed
    return task.model_copy(update={"variation": None, "seed": seed})


def slerp(strength: float, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """The way from ``low`` (0) to ``high`` (1) along a circle (Shoemake 1985): noise stays as strong as noise is, which
    on a straight line it does not."""
    one, other = low.double().flatten(), high.double().flatten()
    cosine = torch.dot(one, other) / (one.norm() * other.norm())
    angle = torch.acos(cosine.clamp(-1.0, 1.0))
    if float(angle) < _PARALLEL:
        return low
    mixed = (torch.sin((1.0 - strength) * angle) * one + torch.sin(strength * angle) * other) / torch.sin(angle)
    return mixed.reshape(low.shape).to(low.dtype)


def onto(scheduler: Any, latents: torch.Tensor, noise: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
    """``latents`` with as much of the noise as that moment has. Those that match flows have another name for it."""
    if hasattr(scheduler, "scale_noise"):
        mixed: torch.Tensor = scheduler.scale_noise(latents, timestep, noise)
    else:
        mixed = scheduler.add_noise(latents, noise, timestep)
    return mixed.to(latents.dtype)


def added(task: Draw, shape: torch.Size, generator: torch.Generator, **where: Any) -> torch.Tensor:
    """The noise for a picture to start from. ``generator`` stands behind the numbers that its encoder has taken;
    ``where``: device and dtype."""
    own: torch.Tensor = randn_tensor(shape, generator=generator, **where)
    if task.variation is None:
        return own
    other = torch.Generator("cpu").manual_seed(task.variation.seed)
    randn_tensor(shape, generator=other, **where)  # what the encoder would have taken of it
    return slerp(task.variation.strength, own, randn_tensor(shape, generator=other, **where))


@contextmanager
def varied(pipe: Any, task: Draw, generator: torch.Generator) -> Iterator[None]:
    """In here a pipeline that starts from noise alone starts from noise between the two seeds.

    Its own ``prepare_latents`` is asked once with each of them: it knows the shape, scales the noise and packs it.
    """
    if task.variation is None:
        yield
        return
    strength = task.variation.strength
    other = torch.Generator("cpu").manual_seed(task.variation.seed)

    def between(prepare: Callable[..., Any]) -> Callable[..., Any]:
        def both(*values: Any, **named: Any) -> Any:
            own = prepare(*values, **named)
            swapped = [other if value is generator else value for value in values]
            again = prepare(*swapped, **{name: other if value is generator else value for name, value in named.items()})
            if isinstance(own, tuple):  # latents, and where each of them lies
                return (slerp(strength, own[0], again[0]), *own[1:])
            return slerp(strength, own, again)

        return both

    with diffusers_private.wrapped_prepare_latents(pipe, between):
        yield
