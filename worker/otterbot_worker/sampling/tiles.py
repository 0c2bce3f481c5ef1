"""What a picture takes that is larger than its model draws at once: overlapping tiles, where they lie, their steps.

Pure, free of torch. All sizes are (width, height) in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from . import sampling_steps

OVERLAP = 4
"""Neighbours share at least this part of a tile's side (a quarter): at whole factors that takes no tile more than an
eighth would, which is what the "SD upscale" script of AUTOMATIC1111's web UI takes (64 of 512 pixels)."""


class Tile(NamedTuple):
    left: int
    top: int
    width: int
    height: int


class Run(NamedTuple):
    """What is drawn in one go, with true steps."""

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


def runs(task: Mapping[str, Any]) -> list[Run]:
    """All that one picture takes, in order: the base, and the tiles of its second pass; or those of an upscaled one.

    ``task``: a resolved request, or the fields of a ``messages.Draw``.
    """
    size, steps = _canvas(task), sampling_steps.true_steps(task["steps"], task.get("strength"))
    if (upscale := task.get("upscale")) is not None:
        return _tiled(size, upscale["tile"], steps)
    base = [Run(*size, steps)]
    if (hires := task.get("hires")) is None:
        return base
    steps = sampling_steps.true_steps(hires["steps"], hires["strength"])
    return base + _tiled((hires["width"], hires["height"]), hires["tile"], steps)


def largest(task: Mapping[str, Any]) -> tuple[int, int]:
    """The most that is drawn in one go: what memory has to suffice for. ``task`` as for `runs`."""
    one = max(runs(task), key=lambda run: run.width * run.height)
    return one.width, one.height


def steps(task: Mapping[str, Any]) -> int:
    """Of all runs together. ``task`` as for `runs`."""
    return sum(run.steps for run in runs(task))


def work(task: Mapping[str, Any]) -> float:
    """Megapixel-steps. ``task`` as for `runs`."""
    return sum(run.width * run.height * run.steps for run in runs(task)) / 1e6


def final(task: Mapping[str, Any]) -> tuple[int, int]:
    """The size of the finished picture. ``task`` as for `runs`."""
    last = task.get("hires") or task
    return last["width"], last["height"]


def in_tiles(task: Mapping[str, Any]) -> bool:
    """Whether the finished picture is put together of several. ``task`` as for `runs`."""
    whole = final(task) if task.get("hires") is not None else _canvas(task)
    return whole != runs(task)[-1][:2]


def _canvas(task: Mapping[str, Any]) -> tuple[int, int]:
    """What the base draws: under a mask perhaps a little more than the picture has."""
    width, height = task.get("canvas") or (task["width"], task["height"])
    return width, height


def _tiled(size: tuple[int, int], tile: tuple[int, int], steps: int) -> list[Run]:
    return [Run(one.width, one.height, steps) for one in grid(size, tile)]


def _places(length: int, side: int, multiple: int) -> list[int]:
    if length <= side:
        return [0]
    shared = side // OVERLAP
    count = math.ceil((length - shared) / (side - shared))
    return [round(number * (length - side) / (count - 1) / multiple) * multiple for number in range(count)]
