"""VAE decoding, with a check for NaN and black pictures.

The same as in the pipelines (tests compare the bytes). Done here because the check and one retry in fp32 happen between
decoder and pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ...errors import JobFailed
from ..load.loaded import Loaded
from ..memory import placing
from ..pixels import Pixels

EMPTY = "The picture came out all black or not a number"
RETRIED = "The decoder gave no picture in half precision and was run again in full precision."


@torch.no_grad()
def decode(loaded: Loaded, latents: torch.Tensor, seed: int, *, part: bool = False) -> tuple[Pixels, list[str]]:
    """Pixels (height, width, 3) and notes. ``part``: a tile, which may be all black.

    :raises JobFailed: ``nan``
    """
    if not bool(torch.isfinite(latents).all()):
        raise JobFailed("nan", "The model computed no picture (not a number). Another sampler, size or CFG may help.")
    pipe = loaded.pipe
    full = pipe.vae.dtype == torch.float32
    upcast = upcasts(loaded)
    pixels = _decode(pipe, latents, seed, upcast=upcast, part=part)
    if pixels is not None:
        return pixels, []
    if full or upcast:  # already fp32: a retry would give the same
        raise empty()
    pixels = _decode(pipe, latents, seed, upcast=True, part=part)
    if pixels is None:
        raise JobFailed("nan", f"{EMPTY}, in full precision as well. Another seed, sampler or CFG may help.")
    return pixels, [RETRIED]


def upcasts(loaded: Loaded) -> bool:
    """Whether the VAE computes in fp32 from the start."""
    vae = loaded.pipe.vae
    return vae.dtype == torch.float16 and loaded.family.upcasts(vae.config)


def empty() -> JobFailed:
    """The failure for a black picture."""
    return JobFailed("nan", f"{EMPTY}. Another seed, sampler or CFG may help.")


def _decode(pipe: Any, latents: torch.Tensor, seed: int, *, upcast: bool, part: bool) -> Pixels | None:
    """``None`` for NaN or all black."""
    vae = pipe.vae
    with precision(vae, upcast=upcast):
        latents = _unscale(vae, latents.to(vae.dtype))
        generator = torch.Generator("cpu").manual_seed(seed)
        image = vae.decode(latents, return_dict=False, generator=generator)[0]
    if not bool(torch.isfinite(image).all()):
        return None
    array = pipe.image_processor.postprocess(image.float(), output_type="np")[0]
    pixels: Pixels = (array * 255).round().astype(np.uint8)
    return pixels if part or pixels.any() else None


def _unscale(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Undo the VAE's latent scaling from its configuration. Flux 2's has none: its pipeline already did it with the
    VAE's batch-norm statistics."""
    factor = vae.config.get("scaling_factor")
    if factor is None:
        return latents
    mean, std, shift = (vae.config.get(key) for key in ("latents_mean", "latents_std", "shift_factor"))
    if mean is not None and std is not None:
        mean, std = (torch.tensor(values).view(1, -1, 1, 1).to(latents) for values in (mean, std))
        return latents * std / float(factor) + mean
    if shift is not None:
        return latents / float(factor) + float(shift)
    return latents / float(factor)


@contextmanager
def precision(vae: Any, *, upcast: bool) -> Iterator[None]:
    before = vae.dtype
    if not upcast or before == torch.float32:
        yield
        return
    _keep_in(vae, torch.float32)
    try:
        yield
    finally:
        _keep_in(vae, before)


def _keep_in(vae: Any, dtype: torch.dtype) -> None:
    vae.to(dtype=dtype)
    placing.regroup(vae)
