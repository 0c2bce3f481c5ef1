# mypy: disallow-untyped-calls=False
"""Variations: initial noise interpolated between two seeds.

As in AUTOMATIC1111's web UI (``slerp`` and ``ImageRNG.first`` in ``modules/rng.py``: subseed and subseed strength), but
with one angle for the whole tensor instead of one per row: so the result does not depend on how a pipeline packs its
latents, and in so many dimensions all angles are close to 90°. Only the initial noise is interpolated: noise that
samplers add in later steps comes from the picture's own seed, as in A1111.
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
"""Angles (radians) below this count as equal noise."""


def settled(task: Draw) -> Draw:
    """Replace strength 0 or 1 by the plain seed: 0 is the picture's own, 1 the variation's."""
    variation = task.variation
    if variation is None or 0.0 < variation.strength < 1.0:
        return task
    seed = variation.seed if variation.strength == 1.0 else task.seed
    return task.model_copy(update={"variation": None, "seed": seed})


def slerp(strength: float, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """Spherical interpolation from ``low`` (0) to ``high`` (1) (Shoemake 1985). Unlike linear interpolation it keeps
    the variance of the noise."""
    one, other = low.double().flatten(), high.double().flatten()
    cosine = torch.dot(one, other) / (one.norm() * other.norm())
    angle = torch.acos(cosine.clamp(-1.0, 1.0))
    if float(angle) < _PARALLEL:
        return low
    mixed = (torch.sin((1.0 - strength) * angle) * one + torch.sin(strength * angle) * other) / torch.sin(angle)
    return mixed.reshape(low.shape).to(low.dtype)


def onto(scheduler: Any, latents: torch.Tensor, noise: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
    """``latents`` noised to a timestep. Flow-matching schedulers call it ``scale_noise``."""
    if hasattr(scheduler, "scale_noise"):
        mixed: torch.Tensor = scheduler.scale_noise(latents, timestep, noise)
    else:
        mixed = scheduler.add_noise(latents, noise, timestep)
    return mixed.to(latents.dtype)


def added(task: Draw, shape: torch.Size, generator: torch.Generator, **where: Any) -> torch.Tensor:
    """The noise for img2img. ``generator``: already advanced by the encoder; ``where``: device and dtype."""
    own: torch.Tensor = randn_tensor(shape, generator=generator, **where)
    if task.variation is None:
        return own
    other = torch.Generator("cpu").manual_seed(task.variation.seed)
    randn_tensor(shape, generator=other, **where)  # advance it as the encoder advanced the picture's
    return slerp(task.variation.strength, own, randn_tensor(shape, generator=other, **where))


@contextmanager
def varied(pipe: Any, task: Draw, generator: torch.Generator) -> Iterator[None]:
    """Context in which a txt2img pipeline starts from interpolated noise.

    Its own ``prepare_latents`` is called once per seed, since it knows the shape, the scale and the packing.
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
            if isinstance(own, tuple):  # latents and their position ids
                return (slerp(strength, own[0], again[0]), *own[1:])
            return slerp(strength, own, again)

        return both

    with diffusers_private.wrapped_prepare_latents(pipe, between):
        yield
