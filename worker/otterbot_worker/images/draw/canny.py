"""Canny edges of a picture for a ControlNet: white lines of one pixel on black. Free of torch.

J. Canny, "A Computational Approach to Edge Detection", IEEE PAMI 8 (1986), 679-698: a Gaussian against noise, the
gradient, of which only the ridges stay, and of these lines only such that are strong somewhere. In whole numbers, with
OpenCV's rounding of directions to eight, because its ``Canny`` made the pictures that ControlNets were trained with
(tests compare both). Time and memory are linear in the pixels, whatever the picture shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

PIXELS_MAX = 4096 * 4096
LOW, HIGH = 68, 136
"""Hysteresis thresholds of the gradient (sum of the absolute Sobel responses). The usual 100 and 200 are for pictures
that are not smoothed; the Gaussian leaves 68 % of a step's gradient."""

_GAUSSIAN = np.exp(-0.5 * np.arange(-2, 3) ** 2)
_GAUSSIAN /= _GAUSSIAN.sum()
_TAN_22 = 13_573
"""The tangent of 22.5 degrees times 2**15; that of 67.5 degrees is 2 more."""

Array = np.ndarray[Any, np.dtype[Any]]


def edges(picture: Image.Image) -> Image.Image:
    """White on black, of the same size. :raises ValueError: more than ``PIXELS_MAX``"""
    if picture.width * picture.height > PIXELS_MAX:
        raise ValueError("too many pixels")
    return Image.fromarray(find(smooth(np.asarray(picture.convert("RGB")))))


def smooth(pixels: Array) -> Array:
    """``pixels`` (height, width, channels) of 8 bits under a Gaussian of one pixel, rounded; edges go on outside."""
    smoothed = pixels.astype(np.float32)
    for axis in (0, 1):
        smoothed = sum(
            weight * part
            for weight, part in zip(_GAUSSIAN.astype(np.float32), _shifted(smoothed, axis, 2), strict=True)
        )
    return (smoothed + 0.5).astype(np.uint8)


def find(pixels: Array, low: int = LOW, high: int = HIGH) -> Array:
    """The lines (height, width): 255 on 0. ``pixels``: (height, width, channels) of 8 bits; ``low`` up to ``high``."""
    across, down = gradient(pixels.astype(np.int16))
    strength = np.abs(across) + np.abs(down)
    ridges = (strength > low) & _ridges(strength, across, down)
    return _connected(ridges, ridges & (strength > high))


def gradient(pixels: Array) -> tuple[Array, Array]:
    """Both Sobel responses (height, width), each pixel's from the channel with the largest gradient."""
    above, here, below = _shifted(pixels, 0, 1)
    left, middle, right = _shifted(above + 2 * here + below, 1, 1)
    across = right - left
    left, middle, right = _shifted(below - above, 1, 1)
    down = left + 2 * middle + right
    channel = np.argmax(np.abs(across) + np.abs(down), axis=-1)[..., None]
    across, down = (np.take_along_axis(one, channel, -1)[..., 0].astype(np.int64) for one in (across, down))
    return across, down


def _shifted(pixels: Array, axis: int, reach: int) -> list[Array]:
    """``pixels``, moved by ``-reach`` to ``reach`` down (axis 0) or across (1), with their borders repeated outside."""
    padding = [(0, 0)] * pixels.ndim
    padding[axis] = (reach, reach)
    padded = np.pad(pixels, padding, mode="edge")
    length = pixels.shape[axis]
    return [
        padded[start : start + length] if axis == 0 else padded[:, start : start + length]
        for start in range(2 * reach + 1)
    ]


def _ridges(strength: Array, across: Array, down: Array) -> Array:
    """Non-maximum suppression: pixels whose gradient exceeds both neighbours' in its direction (rounded to four)."""
    height, width = strength.shape
    padded = np.pad(strength, 1)

    def neighbour(rows: int, columns: int) -> Array:
        return padded[1 + rows : 1 + rows + height, 1 + columns : 1 + columns + width]

    flat = np.abs(across) * _TAN_22
    steep = np.abs(down) << 15
    horizontal, vertical = steep < flat, steep > flat + (np.abs(across) << 16)
    falling = (across < 0) == (down < 0)
    diagonal = np.where(
        falling,
        (strength > neighbour(-1, -1)) & (strength > neighbour(1, 1)),
        (strength > neighbour(-1, 1)) & (strength > neighbour(1, -1)),
    )
    return np.where(
        horizontal,
        (strength > neighbour(0, -1)) & (strength >= neighbour(0, 1)),
        np.where(vertical, (strength > neighbour(-1, 0)) & (strength >= neighbour(1, 0)), diagonal),
    )


def _connected(ridges: Array, strong: Array) -> Array:
    """Hysteresis: the ridges connected with a strong one, diagonally too. Visits each pixel once."""
    height, width = ridges.shape[0], ridges.shape[1] + 2
    weak = np.pad(ridges & ~strong, 1)
    beside = np.zeros_like(strong)
    for rows in range(3):
        for columns in range(3):
            beside |= weak[rows : rows + height, columns : columns + width - 2]
    found, left = np.pad(strong, 1).ravel(), bytearray(weak.tobytes())
    steps = (-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1)
    waiting = np.flatnonzero(np.pad(strong & beside, 1)).tolist()
    reached: list[int] = []
    while waiting:
        place = waiting.pop()
        for step in steps:
            if left[place + step]:
                left[place + step] = 0
                waiting.append(place + step)
                reached.append(place + step)
    found[reached] = True
    return (found.reshape(-1, width)[1:-1, 1:-1] * 255).astype(np.uint8)
