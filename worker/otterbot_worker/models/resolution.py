"""Picture sizes: a requested size rounded to the model's multiples, or a size from an aspect ratio. Pure, free of
torch.

A shape is the aspect ratio, width / height. All sizes are (width, height) in pixels.
"""

from __future__ import annotations

import math
import re
from itertools import product
from typing import Protocol

WORDS = {"square": (1, 1), "portrait": (2, 3), "landscape": (3, 2)}
MOST = 4
"""Maximum aspect ratio."""
EXPECTED = "A shape is square, portrait, landscape, or width:height from 1:4 to 4:1, such as 3:2."

NEAR_USUAL = (0.5, 1.5)
"""Shares of the model's usual number of pixels between which an init image is drawn at its own size. With fewer pixels
a model shows little; with more it repeats itself and takes long."""

_RATIO = re.compile(r"([1-9][0-9]{0,2}):([1-9][0-9]{0,2})", re.ASCII)

_BUCKETS_OF = 1024 * 1024
_BUCKET_STEP = 64
_BUCKET_LEAST = 0.9
"""SDXL was trained on shapes whose sides are multiples of 64 and whose pixels are as many as 1024 x 1024 has, or up to
a tenth fewer (Podell et al. 2023, arXiv 2307.01952, section 2.3 and the list in appendix I, which is just these)."""


class Limits(Protocol):
    """``catalogue.Limits``."""

    @property
    def size_min(self) -> int: ...
    @property
    def size_max(self) -> int: ...
    @property
    def size_multiple(self) -> int: ...
    @property
    def pixels_max(self) -> int: ...


def shape(aspect: str) -> float | None:
    """``3:2`` → 1.5, ``portrait`` → 0.667; ``None`` for what is no shape, or one longer than 4:1."""
    found = _RATIO.fullmatch(aspect)
    wide, high = WORDS.get(aspect, (0, 0)) if found is None else (int(found[1]), int(found[2]))
    return wide / high if 0 < wide <= MOST * high and high <= MOST * wide else None


def rounded(size: tuple[int, int], limits: Limits) -> tuple[int, int]:
    """The nearest size in the model's multiples; smaller where rounding up were more pixels than it draws.

    Both sides have to be within ``size_min`` and ``size_max``. What has too many pixels still has them afterwards.
    """
    near = (nearest(size[0], limits), nearest(size[1], limits))
    if near[0] * near[1] <= limits.pixels_max:
        return near
    step, least = limits.size_multiple, _least(limits)
    return max(size[0] // step * step, least), max(size[1] // step * step, least)


def fits(size: tuple[int, int], limits: Limits) -> bool:
    """Whether the model draws this size unchanged."""
    return _inside(size, limits) and not any(side % limits.size_multiple for side in size)


def closest(size: tuple[int, int], limits: Limits) -> tuple[int, int]:
    """The closest allowed size: sides within the limits, and at most ``pixels_max`` in about the same shape."""
    near = (nearest(size[0], limits), nearest(size[1], limits))
    step, least = limits.size_multiple, _least(limits)
    shrink = min(1.0, math.sqrt(limits.pixels_max / (near[0] * near[1])))
    narrow, wide = (max(int(side * shrink) // step * step, least) for side in sorted(near))
    if narrow * wide > limits.pixels_max:  # too thin for the narrow side to shrink further
        wide = max(limits.pixels_max // narrow // step * step, least)
    return (narrow, wide) if near[0] <= near[1] else (wide, narrow)


def of_shape(shape: float, limits: Limits, pixels: int) -> tuple[int, int]:
    """A size of about that shape and number of pixels, in the model's multiples and limits. Where one side reaches a
    limit the other one follows it: the shape matters more than the number of pixels."""
    wide = _within(math.sqrt(pixels * shape), limits)
    wide = _within(_within(wide / shape, limits) * shape, limits)
    found = [nearest(wide, limits), nearest(wide / shape, limits)]
    while found[0] * found[1] > limits.pixels_max:
        # Where rounding up exceeded ``pixels_max``, shorten the longer side.
        found[found.index(max(found))] -= limits.size_multiple
    return found[0], found[1]


def _within(side: float, limits: Limits) -> float:
    return min(max(side, limits.size_min), limits.size_max)


def of_picture(picture: tuple[int, int], limits: Limits, usual: int) -> tuple[int, int]:
    """The size for an init image or ControlNet picture: its own, in the model's multiples, where that is within the
    limits and near the ``usual`` number of pixels; else its shape with that number."""
    least, most = (share * usual for share in NEAR_USUAL)
    if least <= picture[0] * picture[1] <= most and _inside(picture, limits):
        return rounded(picture, limits)
    return of_shape(picture[0] / picture[1], limits, usual)


def around(picture: tuple[int, int], limits: Limits) -> tuple[int, int] | None:
    """The smallest canvas in the model's multiples that holds the picture as it is; ``None`` where one of both is
    outside of the limits."""
    step = limits.size_multiple
    canvas = (math.ceil(picture[0] / step) * step, math.ceil(picture[1] / step) * step)
    return canvas if _inside(picture, limits) and _inside(canvas, limits) else None


def _inside(size: tuple[int, int], limits: Limits) -> bool:
    sides = all(limits.size_min <= side <= limits.size_max for side in size)
    return sides and size[0] * size[1] <= limits.pixels_max


def of_aspect(shape: float, limits: Limits, pixels: int) -> tuple[int, int]:
    """The size for a requested aspect ratio: for models of the 1024x1024 class the nearest size they were trained on,
    else computed as in `of_shape`."""
    trained = pixels == _BUCKETS_OF and _BUCKET_STEP % limits.size_multiple == 0
    sides = [side for side in range(512, 2049, _BUCKET_STEP) if trained and nearest(side, limits) == side]
    learned = [
        size
        for size in product(sides, sides)
        if _BUCKET_LEAST * _BUCKETS_OF <= size[0] * size[1] <= min(_BUCKETS_OF, limits.pixels_max)
    ]
    if not learned:
        return of_shape(shape, limits, pixels)
    # Of two equally near sizes, the one with more pixels.
    return min(learned, key=lambda size: (abs(math.log(size[0] / size[1] / shape)), -size[0] * size[1]))


def nearest(side: float, limits: Limits) -> int:
    """The nearest multiple within the model's limits."""
    step = limits.size_multiple
    return min(max(math.floor(side / step + 0.5) * step, _least(limits)), limits.size_max // step * step)


def _least(limits: Limits) -> int:
    return math.ceil(limits.size_min / limits.size_multiple) * limits.size_multiple
