# mypy: disallow-untyped-calls=False
"""From a picture to the latents that drawing starts from.

Does what the image-to-image pipelines do themselves (tests compare the pixels), in our hands because the look at the
parent, the retry in full precision and the room that a decoder in tiles spares lie in between.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import diffusers
import torch
from PIL import Image, ImageOps

from ..errors import JobFailed
from ..gpu.messages import Draw
from ..inputs import fit
from . import masking
from . import noise as noises
from .decoding import Pixels, precision

if TYPE_CHECKING:
    from .loading import Loaded

FOUR = 4
"""Channels of a tensor that the pipelines take for latents; any other is a picture to them. A model may have more."""


GONE = "The picture to start from is not on the worker any more; please send it again."


class Start(NamedTuple):
    """``pipe`` is made of the loaded one's components, with no weights of its own; to be dropped after the picture."""

    pipe: Any
    arguments: dict[str, Any]
    """That only it takes."""
    keeping: masking.Keeping | None
    """What of the picture stays as it is."""


def begin(loaded: Loaded, task: Draw, device: torch.device, generator: torch.Generator) -> Start:
    """A pipeline that starts from ``task.init_image``.

    ``generator`` is the picture's: the encoder takes the first numbers from it, the noise the next.

    :raises JobFailed: ``input_gone``, ``nan``
    """
    assert task.init_image is not None
    assert task.strength is not None
    picture = read(Path(task.init_image), task.width, task.height)
    latents = encode(loaded.pipe, picture, device, generator)
    pipe = from_picture(loaded)
    keeping = masking.keeping(task, latents)
    if latents.shape[1] != FOUR or keeping is not None or task.variation is not None:
        pipe.prepare_latents = partial(_noised, pipe, latents, keeping, task)
    return Start(pipe, {"image": latents, "strength": exact(task.steps, task.strength)}, keeping)


def from_picture(loaded: Loaded) -> Any:
    """A pipeline of the loaded one's components that starts from a picture."""
    family = loaded.family
    assert family.from_picture is not None, "jobs.sources refuses it"
    pipe = getattr(diffusers, family.from_picture)(**{**family.load_arguments, **loaded.pipe.components})
    pipe.set_progress_bar_config(disable=True)
    return pipe


def exact(steps: int, strength: float) -> float:
    """The strength of which a pipeline makes `fit.true_steps`: it computes them again, and stumbles over 50 * 0.58 and
    over none at all."""
    true = fit.true_steps(steps, strength)
    return 1.0 if true == steps else (true + 0.5) / steps


def finish(task: Draw, drawn: Pixels) -> Pixels:
    """The drawn pixels, with the picture's own where a mask keeps them. :raises JobFailed: ``input_gone``"""
    if task.mask is None or task.init_image is None:
        return drawn
    height, width = drawn.shape[:2]
    return masking.put_back(task, read(Path(task.init_image), width, height), drawn)


def read(path: Path, width: int, height: int, *, gone: str = GONE) -> Image.Image:
    """The picture, scaled to fill the size, with what sticks out cut off evenly. ``gone``: what is said where it is
    not there. :raises JobFailed: ``input_gone``"""
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            return ImageOps.fit(picture.convert("RGB"), (width, height), Image.Resampling.LANCZOS)
    except (OSError, SyntaxError, ValueError):
        raise JobFailed("input_gone", gone) from None


@torch.no_grad()
def encode(pipe: Any, picture: Image.Image, device: torch.device, generator: torch.Generator) -> torch.Tensor:
    """Latents (1, channels, height / 8, width / 8), scaled as the UNet takes them. :raises JobFailed: ``nan``"""
    image, before = pipe.image_processor.preprocess(picture).to(device), generator.get_state()
    half = pipe.vae.dtype == torch.float16
    latents = _encode(pipe.vae, image, generator, upcast=half and bool(pipe.vae.config.get("force_upcast", False)))
    if not bool(torch.isfinite(latents).all()):
        generator.set_state(before)
        latents = _encode(pipe.vae, image, generator, upcast=True)
    if not bool(torch.isfinite(latents).all()):
        raise JobFailed("nan", "The model could not read the picture to start from (not a number).")
    return latents


def _noised(
    pipe: Any,
    latents: torch.Tensor,
    keeping: masking.Keeping | None,
    task: Draw,
    _image: Any,
    timestep: torch.Tensor,
    _batch_size: int,
    _pictures: int,
    dtype: torch.dtype,
    device: torch.device,
    generator: torch.Generator,
    add_noise: bool = True,
) -> torch.Tensor:
    """What the pipelines' ``prepare_latents`` do with latents of one picture.

    Under a mask all steps mean that nothing of the picture is left there, as in the pipelines for masks: they begin
    with noise alone then.
    """
    latents = latents.to(device=device, dtype=dtype)
    if not add_noise:
        return latents
    noise = noises.added(task, latents.shape, generator, device=device, dtype=dtype)
    if keeping is not None:
        keeping.noise = noise
        if timestep[0] == pipe.scheduler.timesteps[0]:
            alone: torch.Tensor = noise * pipe.scheduler.init_noise_sigma
            return alone
    noised: torch.Tensor = pipe.scheduler.add_noise(latents, noise, timestep)
    return noised


def _encode(vae: Any, image: torch.Tensor, generator: torch.Generator, *, upcast: bool) -> torch.Tensor:
    before: torch.dtype = vae.dtype
    with precision(vae, upcast=upcast):
        latents: torch.Tensor = vae.encode(image.to(vae.dtype)).latent_dist.sample(generator)
    latents = latents.to(before)
    factor = float(vae.config.scaling_factor)
    mean, std = (vae.config.get(key) for key in ("latents_mean", "latents_std"))
    if mean is None or std is None:
        return factor * latents
    mean, std = (torch.tensor(values).view(1, -1, 1, 1).to(latents) for values in (mean, std))
    return (latents - mean) * factor / std
