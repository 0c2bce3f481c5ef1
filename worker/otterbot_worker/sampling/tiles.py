"""Tiles for pictures larger than their model draws at once: positions, overlap, steps.

Pure, free of torch. All sizes are (width, height) in pixels.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ..schemas.resolved import ResolvedRequest
from ..schemas.resolved_parts import Pair
from . import sampling_steps

OVERLAP = 4
"""Neighbours overlap by at least 1/4 of a tile's side. At integer factors this needs no more tiles than the 1/8 of
A1111's "SD upscale" script (64 of 512 pixels)."""


class Tile(NamedTuple):
    left: int
    top: int
    width: int
    height: int


class Run(NamedTuple):
    """One run of a pipeline: its size, and the steps that run."""

    width: int
    height: int
    steps: int


def grid(size: tuple[int, int], tile: tuple[int, int], multiple: int = 1) -> list[Tile]:
    """Tiles of one size that cover everything, row by row, evenly spaced; only one where the picture is no larger.

    ``size`` and ``tile`` are multiples of ``multiple``, and so is every place.
    """
    width, height = min(size[0], tile[0]), min(size[1], tile[1])
    return [
        Tile(left, top, width, height)
        for top in _places(size[1], height, multiple)
        for left in _places(size[0], width, multiple)
    ]


def runs(request: ResolvedRequest) -> list[Run]:
    """All runs of one picture in order: the base and the tiles of its second pass, or an upscale's tiles."""
    size, steps = _canvas(request), sampling_steps.true_steps(request.steps, request.strength)
    if request.upscale is not None:
        return _tiled(size, request.upscale.tile, steps)
    base = [Run(*size, steps)]
    if (hires := request.hires) is None:
        return base
    steps = sampling_steps.true_steps(hires.steps, hires.strength)
    return base + _tiled((hires.width, hires.height), hires.tile, steps)


def largest(request: ResolvedRequest) -> Pair:
    """The largest run: memory has to suffice for it."""
    one = max(runs(request), key=lambda run: run.width * run.height)
    return one.width, one.height


def steps(request: ResolvedRequest) -> int:
    """Steps of all runs of one picture."""
    return sum(run.steps for run in runs(request))


def work(request: ResolvedRequest) -> float:
    """Megapixel-steps of one picture."""
    return sum(run.width * run.height * run.steps for run in runs(request)) / 1e6


def final(request: ResolvedRequest) -> Pair:
    """The size of the finished picture."""
    last = request.hires or request
    return last.width, last.height


def in_tiles(request: ResolvedRequest) -> bool:
    """Whether the finished picture is assembled from tiles."""
    whole = final(request) if request.hires is not None else _canvas(request)
    return whole != runs(request)[-1][:2]


def _canvas(request: ResolvedRequest) -> Pair:
    """The base's size: with a mask it may be padded to the model's multiples."""
    return request.canvas or (request.width, request.height)


def _tiled(size: tuple[int, int], tile: tuple[int, int], steps: int) -> list[Run]:
    return [Run(one.width, one.height, steps) for one in grid(size, tile)]


def _places(length: int, side: int, multiple: int) -> list[int]:
    if length <= side:
        return [0]
    shared = side // OVERLAP
    count = math.ceil((length - shared) / (side - shared))
    return [round(number * (length - side) / (count - 1) / multiple) * multiple for number in range(count)]
