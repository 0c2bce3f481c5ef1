"""Augmentation for the judge: artefacts of decoders and file formats, applied to drawings.

All functions take pictures N×3×H×W in 0 … 1 and give such; chance comes from the generator alone.
"""

from __future__ import annotations

import io
import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

GROUP = 8
"""Pictures that share one blur: a kernel each would cost more than the network."""


def flawed(pictures: torch.Tensor, chance: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Mirrored and shifted, softened, recoloured, noisy, and now and then through JPEG.

    :returns: the pictures, and N numbers that say how soft each became: the sigma of a blur like it, in pixels
    """
    groups, softness = [], []
    for group in torch.split(_moved(pictures, chance), GROUP):
        soft, sigma = _softened(group, chance)
        groups.append(_noisy(soft, chance) if torch.rand((), generator=chance) < 0.6 else soft)
        softness += [sigma] * len(group)
    coloured = _recoloured(torch.cat(groups), chance)
    return _jpeg(coloured, chance, share=0.12).clamp(0, 1), torch.tensor(softness)


def blurred(pictures: torch.Tensor, sigma: float) -> torch.Tensor:
    """A Gaussian blur, ``sigma`` in pixels."""
    radius = max(1, math.ceil(sigma * 2.5))
    line = torch.exp(-(torch.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    line = (line / line.sum()).to(pictures).expand(pictures.shape[1], 1, 1, -1)
    wide = F.pad(pictures, (radius,) * 4, mode="replicate")
    rows = F.conv2d(wide, line, groups=pictures.shape[1])
    return F.conv2d(rows, line.transpose(2, 3), groups=pictures.shape[1])


def reduced(pictures: torch.Tensor, factor: float) -> torch.Tensor:
    """Scale down and up again, as a decoder loses fine details."""
    height, width = pictures.shape[2:]
    small = F.interpolate(pictures, scale_factor=factor, mode="bilinear", antialias=True)
    return F.interpolate(small, size=(height, width), mode="bicubic").clamp(0, 1)


def shuffled(pictures: torch.Tensor, chance: torch.Generator, *, tile: int = 32) -> torch.Tensor:
    """Shuffle the tiles: textures without a subject. Every tile moves."""
    count, channels, height, width = pictures.shape
    tiles = F.unfold(pictures, tile, stride=tile)
    number = tiles.shape[2]
    order = torch.stack([_derangement(number, chance) for _ in range(count)])
    mixed = tiles.gather(2, order[:, None].expand(-1, channels * tile * tile, -1))
    return F.fold(mixed, (height, width), tile, stride=tile)


def nothing(count: int, size: int, chance: torch.Generator) -> torch.Tensor:
    """Pictures without content: coarse to fine noise over a colour, as from an untrained model."""
    parts = []
    for _ in range(count):
        cells = 2 ** int(torch.randint(1, 8, (), generator=chance))
        noise = torch.randn(1, 3, min(cells, size), min(cells, size), generator=chance)
        noise = F.interpolate(noise, size=(size, size), mode="bilinear")
        strength = 0.35 * torch.rand((), generator=chance)
        parts.append(torch.rand(1, 3, 1, 1, generator=chance) + strength * noise)
    return torch.cat(parts).clamp(0, 1) if parts else torch.zeros(0, 3, size, size)


def _uniform(shape: tuple[int, ...], low: float, high: float, chance: torch.Generator) -> torch.Tensor:
    return low + (high - low) * torch.rand(shape, generator=chance)


def _moved(pictures: torch.Tensor, chance: torch.Generator, *, reach: int = 5) -> torch.Tensor:
    height, width = pictures.shape[2:]
    wide = F.pad(pictures, (reach,) * 4, mode="replicate")
    places = torch.randint(0, 2 * reach + 1, (len(pictures), 2), generator=chance).tolist()
    mirrored = (torch.rand(len(pictures), generator=chance) < 0.5).tolist()
    moved = []
    for picture, (y, x), mirror in zip(wide, places, mirrored, strict=True):
        part = picture[:, y : y + height, x : x + width]
        moved.append(part.flip(2) if mirror else part)
    return torch.stack(moved)


def _softened(pictures: torch.Tensor, chance: torch.Generator) -> tuple[torch.Tensor, float]:
    kind, amount = torch.rand(2, generator=chance).tolist()
    if kind < 0.35:
        return pictures, 0.0
    if kind < 0.7:
        sigma = 0.4 + 1.2 * amount
        return blurred(pictures, sigma), sigma
    factor = 0.35 + 0.5 * amount
    return reduced(pictures, factor), 0.5 / factor


def _recoloured(pictures: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
    one = (len(pictures), 1, 1, 1)
    gray = pictures.mean(dim=1, keepdim=True)
    pictures = gray + (pictures - gray) * _uniform(one, 0.75, 1.25, chance)
    pictures = 0.5 + (pictures - 0.5) * _uniform(one, 0.8, 1.2, chance)
    gains = _uniform((len(pictures), 3, 1, 1), 0.94, 1.06, chance)
    return pictures * gains + _uniform(one, -0.08, 0.08, chance)


def _noisy(pictures: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
    """Fine grain and coarse blotches, each in half of the pictures."""
    one = (len(pictures), 1, 1, 1)
    height, width = pictures.shape[2:]
    grain = torch.randn(pictures.shape, generator=chance) * _uniform(one, -0.05, 0.05, chance).clamp_min(0)
    blotches = torch.randn((len(pictures), 3, height // 8, width // 8), generator=chance)
    blotches = F.interpolate(blotches, size=(height, width), mode="bilinear")
    return pictures + grain + blotches * _uniform(one, -0.05, 0.05, chance).clamp_min(0)


def _jpeg(pictures: torch.Tensor, chance: torch.Generator, *, share: float) -> torch.Tensor:
    chosen = (torch.rand(len(pictures), generator=chance) < share).nonzero().flatten().tolist()
    qualities = torch.randint(60, 91, (len(pictures),), generator=chance).tolist()
    for index in chosen:
        pixels = (pictures[index].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=qualities[index])
        again = np.array(Image.open(file))
        pictures[index] = torch.from_numpy(again).permute(2, 0, 1).float() / 255
    return pictures


def _derangement(number: int, chance: torch.Generator) -> torch.Tensor:
    """A random cyclic permutation, which moves every index."""
    cycle = torch.randperm(number, generator=chance)
    order = torch.empty_like(cycle)
    order[cycle] = cycle.roll(1)
    return order
