# mypy: disallow-untyped-calls=False
"""Hires and upscale passes: enlarge, then img2img with a part of the steps, in tiles where the picture is too large.

Noise and start are cut from one canvas; each tile is denoised and decoded by itself, and neighbours are blended. A tile
sees only itself, so alone it would draw the whole prompt again, small. So its layout is fixed: in every step low
frequencies come from the enlarged picture, high ones from the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image

from ...sampling import sampling_steps, tiles
from ...sampling.tiles import Tile
from .. import diffusers_private
from ..pixels import Pixels
from . import img2img
from .decoding import decode, empty
from .inpaint import noised_after
from .noise import onto
from .passes import UNGUIDED, Drawing, OnStep

CELL = 2
"""Side of the cells whose mean stays, in latents of the tile's start."""

Piece = Callable[[Tile], torch.Tensor]
"""Makes the latents that a tile starts from."""


def upscale(drawing: Drawing, _none: torch.Tensor | None) -> torch.Tensor | None:
    """The picture of ``task.init_image``, enlarged to the task's size and drawn once more.

    :raises JobFailed: ``input_gone``, ``nan``
    """
    task = drawing.task
    assert task.upscale is not None
    assert task.init_image is not None
    assert task.strength is not None
    picture = img2img.read(Path(task.init_image.path), task.width, task.height)
    return _draw(drawing, _of(drawing, picture), picture.size, task.upscale.tile, task.steps, task.strength)


def second_pass(drawing: Drawing, latents: torch.Tensor | None) -> torch.Tensor | None:
    """``hires``: from the latents of the pass before to those of the larger picture. :raises JobFailed: ``nan``"""
    task = drawing.task
    assert task.hires is not None
    assert latents is not None
    hires = task.hires
    size = (hires.width, hires.height)
    if hires.upscaler == "latent":
        piece = _cut(_larger(latents, task.width, size), size)
    else:
        pixels, notes = decode(drawing.loaded, latents, task.seed)
        drawing.notes += notes
        piece = _of(drawing, Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    return _draw(drawing, piece, size, hires.tile, hires.steps, hires.strength)


def _larger(latents: torch.Tensor, width: int, size: tuple[int, int]) -> torch.Tensor:
    """Bilinear, as "Latent" of AUTOMATIC1111's web UI. ``width``: the picture's, in pixels; ``size``: the wanted."""
    scale = width // latents.shape[-1]
    wanted = (size[1] // scale, size[0] // scale)
    return torch.nn.functional.interpolate(latents.float(), wanted, mode="bilinear").to(latents.dtype)


def _cut(latents: torch.Tensor, size: tuple[int, int]) -> Piece:
    scale = size[0] // latents.shape[-1]
    return lambda tile: _part(latents, tile, scale)


def _of(drawing: Drawing, picture: Image.Image) -> Piece:
    def piece(tile: Tile) -> torch.Tensor:
        part = picture.crop((tile.left, tile.top, tile.left + tile.width, tile.top + tile.height))
        return img2img.encode(drawing.loaded, part, drawing.device, drawing.generator)

    return piece


def _part(latents: torch.Tensor, tile: Tile, scale: int) -> torch.Tensor:
    left, top, width, height = (side // scale for side in tile)
    return latents[..., top : top + height, left : left + width]


def _draw(
    drawing: Drawing, piece: Piece, size: tuple[int, int], tile: Sequence[int], steps: int, strength: float
) -> torch.Tensor | None:
    """One tile's latents, or ``None``: there are several, and their pixels are the drawing's."""
    grid = tiles.grid(size, (tile[0], tile[1]), drawing.loaded.entry.limits.size_multiple)
    drawer = drawing if len(grid) == 1 else replace(drawing, previews=None)
    if drawing.task.preview and drawing.previews is not None and len(grid) > 1:
        drawing.notes.append("There were no previews of what was drawn in tiles.")
    if drawing.loaded.entry.whole_only and len(grid) > 1:
        task = drawing.task.model_copy(update={"guidance_scale": UNGUIDED})
        drawer = replace(drawer, embeddings=drawing.wordless(), task=task)
    canvas = np.zeros((size[1], size[0], 3), np.float32)
    noise: torch.Tensor | None = None
    for one in grid:
        drawing.monitor.check()
        latents = piece(one)
        scale = one.width // latents.shape[-1]
        if noise is None:
            shape = (*latents.shape[:2], size[1] // scale, size[0] // scale)
            noise = randn_tensor(shape, generator=drawing.generator, device=latents.device, dtype=latents.dtype)
        own = _part(noise, one, scale)
        layout = Layout(latents=latents, noise=own) if len(grid) > 1 else None
        drawn = _again(drawer, latents, own, steps, strength, layout)
        if len(grid) == 1:
            return drawn
        pixels, notes = decode(drawing.loaded, drawn, drawing.task.seed, part=True)
        drawing.notes += notes
        _fade_in(canvas, pixels, one, grid)
    drawing.pixels = canvas.round().clip(0, 255).astype(np.uint8)
    if not drawing.pixels.any():
        raise empty()
    return None


def _again(
    drawing: Drawing,
    latents: torch.Tensor,
    noise: torch.Tensor,
    steps: int,
    strength: float,
    layout: Layout | None,
) -> torch.Tensor:
    """img2img of one tile with given noise."""
    pipe = img2img.from_picture(drawing.loaded)

    def noised(*, timestep: torch.Tensor, **_named: Any) -> torch.Tensor:
        return onto(pipe.scheduler, latents, noise, timestep)

    diffusers_private.replace_prepare_latents(pipe, noised)
    return drawing.denoise(
        pipe,
        steps=steps,
        expected=sampling_steps.true_steps(steps, strength),
        keeping=layout,
        **img2img.arguments(drawing.loaded, latents, steps, strength),
    )


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Keeps the low frequencies of a tile after every step.

    ``latents + f(noised picture - latents)``, as ILVR does with pixels (Choi et al. 2021,
    https://arxiv.org/abs/2108.02938, eq. 8), here with latents.
    """

    latents: torch.Tensor
    noise: torch.Tensor
    """Picture and noise of the tile, (1, channels, height, width)."""

    def after(self, on_step: OnStep) -> OnStep:
        def then(pipe: Any, index: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
            kwargs = on_step(pipe, index, timestep, kwargs)
            latents = kwargs["latents"]
            wanted = noised_after(pipe, index, self.latents.to(latents), self.noise.to(latents))
            return {**kwargs, "latents": latents + _coarse(wanted - latents)}

        return then


def _coarse(latents: torch.Tensor) -> torch.Tensor:
    height, width = latents.shape[-2:]
    means = torch.nn.functional.adaptive_avg_pool2d(latents.float(), (max(1, height // CELL), max(1, width // CELL)))
    return torch.nn.functional.interpolate(means, (height, width), mode="bilinear").to(latents.dtype)


# ---------------------------------------------------------------- seams


def _fade_in(canvas: npt.NDArray[np.float32], pixels: Pixels, tile: Tile, grid: Sequence[Tile]) -> None:
    """Add a tile's pixels to the canvas, weighted so that all tiles sum up to one picture."""
    across = fade([(one.left, one.width) for one in grid], (tile.left, tile.width))
    down = fade([(one.top, one.height) for one in grid], (tile.top, tile.height))
    place = canvas[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]
    place += pixels * (down[:, None] * across[None, :])[..., None]


def fade(all_of_them: Sequence[tuple[int, int]], own: tuple[int, int]) -> npt.NDArray[np.float32]:
    """A tile's weights along one axis, 0 to 1. Tiles are (begin, length).

    Neighbours are blended in the middle half of their overlap: nearer to its edge a tile lacks context. At each place
    the weights of an axis sum to 1.
    """
    begin, length = own
    places = sorted({one[0] for one in all_of_them})
    index = places.index(begin)
    weights = np.ones(length, np.float32)
    at = np.arange(length) + 0.5
    if index > 0:
        shared = places[index - 1] + length - begin
        weights *= ((at - shared / 4) / (shared / 2)).clip(0, 1)
    if index + 1 < len(places):
        shared = begin + length - places[index + 1]
        weights *= ((length - at - shared / 4) / (shared / 2)).clip(0, 1)
    return weights
