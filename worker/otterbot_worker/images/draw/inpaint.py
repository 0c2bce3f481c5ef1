# mypy: disallow-untyped-calls=False
"""Inpainting: the unmasked part is put back into the latents after every step, and as pixels at the end.

diffusers' inpainting pipelines do the same for models with four latent channels and refuse others (tests compare the
pictures). Here it wraps the img2img pipelines, for any model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import adaptive_max_pool2d

from ...errors import JobFailed, look_failed
from ...gpu.messages import Draw
from ...sampling import masks
from ..pixels import Pixels
from .noise import onto

OnStep = Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]


@dataclass(kw_only=True)
class KeptLatents:
    """The unmasked part of the latents, put back after each step."""

    latents: torch.Tensor
    """The whole picture's (1, channels, height, width)."""
    anew: torch.Tensor
    """The mask (1, 1, height, width): 1 is repainted, 0 stays."""
    noise: torch.Tensor | None = None
    """The starting noise; the same noise is added to the unmasked part at every step."""

    def after(self, on_step: OnStep) -> OnStep:
        """The callback for the end of each step; calls ``on_step`` first."""

        def then(pipe: Any, index: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
            kwargs = on_step(pipe, index, timestep, kwargs)
            return {**kwargs, "latents": self.put_back(pipe, index, kwargs["latents"])}

        return then

    def put_back(self, pipe: Any, index: int, latents: torch.Tensor) -> torch.Tensor:
        """``latents`` after step ``index``, the unmasked part noised to the level of the next step.

        ``anew * latents + (1 - anew) * add_noise(picture, noise, t_next)``, as RePaint's known region (Lugmayr et al.
        2022, https://arxiv.org/abs/2201.09865, eq. 8) and diffusers' inpainting pipelines do.
        """
        assert self.noise is not None
        kept = noised_after(pipe, index, self.latents.to(latents), self.noise.to(latents))
        anew = self.anew.to(latents)
        return (1 - anew) * kept + anew * latents


def noised_after(pipe: Any, index: int, latents: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """A picture's latents, noised to the level that the step after ``index`` expects."""
    timesteps = pipe.scheduler.timesteps
    following = _first(pipe) + index + 1
    if following >= len(timesteps):
        return latents
    return onto(pipe.scheduler, latents, noise, timesteps[following : following + 1])


def _first(pipe: Any) -> int:
    """The first of the sampler's steps that the pipeline runs."""
    scheduler = pipe.scheduler
    begin: int | None = getattr(scheduler, "begin_index", None)
    if begin is not None:
        return begin
    # DDIM and PNDM have no begin_index. The pipeline runs the last steps, minus those of a refiner.
    left = 0
    if (end := getattr(pipe, "denoising_end", None)) is not None:
        trained = scheduler.config.num_train_timesteps
        left = int((scheduler.timesteps < round(trained - end * trained)).sum())
    return len(scheduler.timesteps) - left - int(pipe.num_timesteps)


def keeping(task: Draw, latents: torch.Tensor) -> KeptLatents | None:
    """``None`` without a mask. ``latents``: the picture's. :raises JobFailed: ``input_gone``"""
    if task.mask is None:
        return None
    white = np.asarray(on_canvas(task, _read(task, task.width, task.height))) >= masks.ANEW
    # Repaint a latent cell if any pixel under it is masked (max-pool); ``put_back`` undoes the surplus.
    anew = adaptive_max_pool2d(torch.from_numpy(white).float()[None, None], latents.shape[-2:])
    return KeptLatents(latents=latents, anew=anew)


def on_canvas(task: Draw, picture: Image.Image) -> Image.Image:
    """Pad a picture at the right and lower edge to the canvas, repeating its last row and column. Used alike for init
    image, mask and ControlNet input; the padding is cropped at the end."""
    if task.canvas is None:
        return picture
    width, height = task.canvas
    beyond = ((0, height - picture.height), (0, width - picture.width), (0, 0))
    pixels = np.asarray(picture)
    return Image.fromarray(np.pad(pixels, beyond[: pixels.ndim], mode="edge"))


def put_back(task: Draw, picture: Image.Image, drawn: Pixels) -> Pixels:
    """Blend: the drawn pixels (height, width, 3) where the mask is white, the picture's where it is black. Crops the
    canvas.

    Unmasked pixels come out unchanged except for scaling. ``picture``: in the finished size. :raises JobFailed:
    ``input_gone``
    """
    drawn = drawn[: picture.height, : picture.width]
    mask = np.asarray(_read(task, *picture.size)).astype(np.int32)[..., None]
    kept = np.asarray(picture).astype(np.int32)
    # Half-transparent pixels are already blended with white: take the white out before blending with the drawing.
    beneath = 255 if task.mask is not None and task.mask.of_init_image else kept
    mixed = (255 * kept + mask * (drawn.astype(np.int32) - beneath) + 127) // 255
    pixels: Pixels = np.where(mask == 255, drawn, mixed.clip(0, 255)).astype(np.uint8)
    return pixels


def _read(task: Draw, width: int, height: int) -> Image.Image:
    assert task.mask is not None
    try:
        return masks.read(Path(task.mask.path), width, height)
    except (OSError, SyntaxError, ValueError) as error:
        look_failed(error, "the mask")
        raise JobFailed("input_gone", "The mask is not on the worker any more; please send it again.") from None
