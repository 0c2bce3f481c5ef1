# mypy: disallow-untyped-calls=False
"""img2img: from the init image to the latents that denoising starts from.

The same as in the img2img pipelines (tests compare the pixels). Done here because of what happens in between: checks
for cancellation, the retry in fp32, and encoding in tiles to save memory.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import diffusers
import torch
from PIL import Image, ImageOps

from ...errors import JobFailed, look_failed
from ...gpu.messages import Draw
from ...sampling import sampling_steps
from .. import diffusers_private
from ..load.loaded import Loaded
from ..pixels import Pixels
from . import inpaint
from . import noise as noises
from .decoding import precision, upcasts

FOUR = 4
"""diffusers' img2img takes an ``image`` of 4 channels for latents and anything else for pixels, which it scales. Small
latents of a model with more channels had no size left then."""

GONE = "The picture to start from is not on the worker any more; please send it again."


class Start(NamedTuple):
    """``pipe`` shares the loaded pipeline's components and is dropped after the picture."""

    pipe: Any
    arguments: dict[str, Any]
    """Arguments that only an img2img pipeline takes."""
    keeping: inpaint.KeptLatents | None
    """Inpainting: the part of the latents that stays."""


def begin(loaded: Loaded, task: Draw, device: torch.device, generator: torch.Generator) -> Start:
    """Encode ``task.init_image`` and make an img2img pipeline for it.

    ``generator`` is the picture's: the encoder takes the first numbers from it, the noise the next.

    :raises JobFailed: ``input_gone``, ``nan``
    """
    assert task.init_image is not None
    assert task.strength is not None
    picture = inpaint.on_canvas(task, read(Path(task.init_image.path), task.width, task.height))
    latents = encode(loaded, picture, device, generator)
    pipe = from_picture(loaded)
    keeping = inpaint.keeping(task, latents)
    if not _taken_as_latents(loaded, latents) or keeping is not None or task.variation is not None:
        diffusers_private.replace_prepare_latents(pipe, partial(_noised, pipe, latents, keeping, task))
    return Start(pipe, arguments(loaded, latents, task.steps, task.strength), keeping)


def from_picture(loaded: Loaded) -> Any:
    """An img2img pipeline of the loaded components."""
    family = loaded.family
    assert family.from_picture is not None, "jobs.sources refuses it"
    pipe = getattr(diffusers, family.from_picture)(**{**family.load_arguments, **loaded.pipe.components})
    pipe.set_progress_bar_config(disable=True)
    return pipe


def arguments(loaded: Loaded, latents: torch.Tensor, steps: int, strength: float) -> dict[str, Any]:
    """The arguments that only an img2img pipeline takes. ``latents``: the init image's."""
    height, width = (side * loaded.pipe.vae_scale_factor for side in latents.shape[-2:])
    # Some pipelines take no latents here: give them an empty picture, since `prepare_latents` is replaced anyway.
    image = latents if _taken_as_latents(loaded, latents) else torch.zeros(1, 3, height, width)
    if not loaded.family.flows:
        return {"image": image, "strength": exact(steps, strength)}
    return {"image": image, "strength": exact(steps, strength, up=True), "width": width, "height": height}


def _taken_as_latents(loaded: Loaded, latents: torch.Tensor) -> bool:
    return latents.shape[1] == FOUR and not loaded.family.flows


def exact(steps: int, strength: float, *, up: bool = False) -> float:
    """The strength for which a pipeline computes exactly ``true_steps``: it multiplies again, fails at 50 * 0.58
    (28.999…) and at 0 steps. ``up``: the pipeline rounds up."""
    true = sampling_steps.true_steps(steps, strength)
    return 1.0 if true == steps else (true + (-0.5 if up else 0.5)) / steps


def finish(task: Draw, drawn: Pixels) -> Pixels:
    """The drawn pixels; with a mask, the init image's pixels outside of it. :raises JobFailed: ``input_gone``"""
    if task.mask is None or task.init_image is None:
        return drawn
    return inpaint.put_back(task, read(Path(task.init_image.path), task.width, task.height), drawn)


def read(path: Path, width: int, height: int, *, gone: str = GONE) -> Image.Image:
    """The picture, scaled to fill the size and centre-cropped. ``gone``: the sentence for a missing file. :raises
    JobFailed: ``input_gone`` :raises CannotLook:"""
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            return ImageOps.fit(picture.convert("RGB"), (width, height), Image.Resampling.LANCZOS)
    except (OSError, SyntaxError, ValueError) as error:
        look_failed(error, "the picture")
        raise JobFailed("input_gone", gone) from None


@torch.no_grad()
def encode(loaded: Loaded, picture: Image.Image, device: torch.device, generator: torch.Generator) -> torch.Tensor:
    """Latents (1, channels, height / 8, width / 8), scaled as the UNet takes them. :raises JobFailed: ``nan``"""
    pipe = loaded.pipe
    image, before = pipe.image_processor.preprocess(picture).to(device), generator.get_state()
    latents = _encode(pipe.vae, image, generator, upcast=upcasts(loaded))
    if not bool(torch.isfinite(latents).all()):
        generator.set_state(before)
        latents = _encode(pipe.vae, image, generator, upcast=True)
    if not bool(torch.isfinite(latents).all()):
        raise JobFailed("nan", "The model could not read the picture to start from (not a number).")
    return latents


def _noised(
    pipe: Any,
    latents: torch.Tensor,
    keeping: inpaint.KeptLatents | None,
    task: Draw,
    *,
    timestep: torch.Tensor,
    dtype: torch.dtype,
    device: torch.device,
    generator: torch.Generator,
    add_noise: bool = True,
) -> torch.Tensor:
    """Noised latents of the init image, as the pipelines' ``prepare_latents`` make them.

    With a mask and all steps nothing of the picture is to remain under it, so it starts from noise alone, as in the
    inpainting pipelines.
    """
    latents = latents.to(device=device, dtype=dtype)
    if not add_noise:
        return latents
    noise = noises.added(task, latents.shape, generator, device=device, dtype=dtype)
    if keeping is not None:
        keeping.noise = noise
        if timestep[0] == pipe.scheduler.timesteps[0]:
            alone: torch.Tensor = noise * getattr(pipe.scheduler, "init_noise_sigma", 1.0)  # flow matching has none
            return alone
    return noises.onto(pipe.scheduler, latents, noise, timestep)


def _encode(vae: Any, image: torch.Tensor, generator: torch.Generator, *, upcast: bool) -> torch.Tensor:
    before: torch.dtype = vae.dtype
    with precision(vae, upcast=upcast):
        latents: torch.Tensor = vae.encode(image.to(vae.dtype)).latent_dist.sample(generator)
    latents = latents.to(before)
    factor = float(vae.config.scaling_factor)
    mean, std, shift = (vae.config.get(key) for key in ("latents_mean", "latents_std", "shift_factor"))
    if mean is None or std is None:
        return factor * (latents if shift is None else latents - float(shift))
    mean, std = (torch.tensor(values).view(1, -1, 1, 1).to(latents) for values in (mean, std))
    return (latents - mean) * factor / std
