# mypy: disallow-untyped-calls=False
"""Drawing a part of a picture anew: the rest is put back after every step, and pixel by pixel at the end.

diffusers has pipelines for this as well, which do the same in latents for models with four channels and refuse others
(tests compare the pictures). Here it is done around the pipelines that start from a picture, whatever the model.
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
    """The part of the latents that stays as it is, while the other one is drawn."""

    latents: torch.Tensor
    """The whole picture's (1, channels, height, width)."""
    anew: torch.Tensor
    """(1, 1, height, width): 1 is drawn anew, 0 stays."""
    noise: torch.Tensor | None = None
    """What the picture began with; always the same is put on what stays."""

    def after(self, on_step: OnStep) -> OnStep:
        """What a pipeline has to call behind each step, with ``on_step`` before it."""

        def then(pipe: Any, index: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
            kwargs = on_step(pipe, index, timestep, kwargs)
            return {**kwargs, "latents": self.put_back(pipe, index, kwargs["latents"])}

        return then

    def put_back(self, pipe: Any, index: int, latents: torch.Tensor) -> torch.Tensor:
        """``latents`` after step ``index``: what stays has as much noise on it as the next step expects.

        ``anew * latents + (1 - anew) * add_noise(picture, noise, t_next)``, as RePaint's known region (Lugmayr et al.
        2022, https://arxiv.org/abs/2201.09865, eq. 8) and diffusers' inpainting pipelines do.
        """
        assert self.noise is not None
        kept = noised_after(pipe, index, self.latents.to(latents), self.noise.to(latents))
        anew = self.anew.to(latents)
        return (1 - anew) * kept + anew * latents


def noised_after(pipe: Any, index: int, latents: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """A picture's latents with as much of the noise on them as the step behind number ``index`` expects."""
    timesteps = pipe.scheduler.timesteps
    following = _first(pipe) + index + 1
    if following >= len(timesteps):
        return latents
    return onto(pipe.scheduler, latents, noise, timesteps[following : following + 1])


def _first(pipe: Any) -> int:
    """Which of the sampler's steps the pipeline begins with."""
    scheduler = pipe.scheduler
    begin: int | None = getattr(scheduler, "begin_index", None)
    if begin is not None:
        return begin
    # DDIM and PNDM do not say. The pipeline draws the last ones, but for those that it leaves to a refiner.
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
    # A latent of which any pixel is to be drawn is drawn: what that is too much of goes when the pixels are put back.
    anew = adaptive_max_pool2d(torch.from_numpy(white).float()[None, None], latents.shape[-2:])
    return KeptLatents(latents=latents, anew=anew)


def on_canvas(task: Draw, picture: Image.Image) -> Image.Image:
    """A picture of the task's size at the upper left of its canvas, its last row and column repeated beyond. Alike for
    the picture, its mask and what steers; what lies there is drawn as the edge is, and cut off."""
    if task.canvas is None:
        return picture
    width, height = task.canvas
    beyond = ((0, height - picture.height), (0, width - picture.width), (0, 0))
    pixels = np.asarray(picture)
    return Image.fromarray(np.pad(pixels, beyond[: pixels.ndim], mode="edge"))


def put_back(task: Draw, picture: Image.Image, drawn: Pixels) -> Pixels:
    """The drawn pixels (height, width, 3) where the mask is white, the picture's where it is black, else between.
    What is beyond the picture goes.

    What lies under a black pixel comes out as it is, scaled to the size that was drawn and no more. ``picture``:
    of the size of what is finished. :raises JobFailed: ``input_gone``
    """
    drawn = drawn[: picture.height, : picture.width]
    mask = np.asarray(_read(task, *picture.size)).astype(np.int32)[..., None]
    kept = np.asarray(picture).astype(np.int32)
    # A half-transparent pixel holds half of the white that it was laid on, and now lies on the drawing instead.
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
