"""From a clean drawing to its style. All textures are fixed patterns: what a small decoder can learn to repeat.

Lengths are in units of the 128-unit canvas, so that a picture of twice the size has the same brush strokes, drawn
with twice the pixels.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from .pen import INK, SIZE, Colour

LINES: dict[str, tuple[float, Colour | None]] = {
    "cartoon": (1.5, INK),
    "watercolor": (1.0, None),
    "pixel art": (1.2, (34, 26, 40)),
    "pencil drawing": (1.3, (0, 0, 0)),
    "oil painting": (0.0, None),
}
"""Width of outlines in units, and their colour; ``None`` is a darker shade of each fill."""

_BLOCK = 4
"""Side of pixel art's squares in units."""
_FINE = 4
"""Points of a unit at which the hatching is measured."""
_Array = Any
"""``np.ndarray`` of float32: numpy's own types lose the precision at every operation."""


def finish(sheet: Image.Image, style: str, detail: int, size: int) -> Image.Image:
    """``sheet``: the supersampled drawing, a multiple of ``size`` on each side. Returns the picture, ``size``² RGB."""
    if style == "pixel art":
        return _pixels(sheet, size)
    small = sheet.reduce(sheet.width // size)
    if style == "cartoon":
        return small
    values = np.asarray(small, dtype=np.float32)
    styled = {"watercolor": _watercolor, "pencil drawing": _pencil, "oil painting": _oil}[style](values, detail % 2)
    return Image.fromarray(np.clip(np.rint(styled), 0, 255).astype(np.uint8))


def _pixels(sheet: Image.Image, size: int) -> Image.Image:
    side = SIZE // _BLOCK
    small = np.asarray(sheet.resize((side, side), Image.Resampling.HAMMING), dtype=np.float32)
    levels = np.clip(np.rint(small / 28.0) * 28.0, 0, 255).astype(np.uint8)
    return Image.fromarray(levels).resize((size, size), Image.Resampling.NEAREST)


@cache
def _noise(variant: int, radius: float, size: int) -> _Array:
    """Smooth noise with mean 0 and largest value about 1; ``size``²."""
    rough = np.random.default_rng(variant).integers(0, 256, (SIZE, SIZE), dtype=np.uint8)
    smooth = Image.fromarray(rough).filter(ImageFilter.GaussianBlur(radius))
    values = np.asarray(smooth, dtype=np.float32)
    values = values - values.mean()
    wide = Image.fromarray(values / np.abs(values).max()).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(wide, dtype=np.float32)


def _positions(size: int) -> tuple[_Array, _Array]:
    """Row and column of each pixel's centre in units; those of 128 pixels are whole numbers."""
    line = (np.arange(size, dtype=np.float32) + 0.5) * (SIZE / size) - 0.5
    rows, columns = np.meshgrid(line, line, indexing="ij")
    return rows, columns


@cache
def _paper_border(variant: int, size: int) -> _Array:
    """1 where paint is, 0 at a ragged white border."""
    y, x = _positions(size)
    edge = np.minimum(np.minimum(x, SIZE - 1 - x), np.minimum(y, SIZE - 1 - y))
    return np.clip((edge - 5.0 - 4.0 * _noise(7 + variant, 5.0, size)) / 2.5, 0, 1)[..., None]


def _blurred(values: _Array, radius: float) -> _Array:
    """``radius`` in units."""
    image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius * image.width / SIZE)), dtype=np.float32)


def _watercolor(values: _Array, variant: int) -> _Array:
    size = len(values)
    soft = _blurred(values, 0.45)
    rims = np.clip(np.abs(_blurred(values, 2.5) - soft).mean(axis=2, keepdims=True) - 4, 0, 20)
    paint = 255 - (255 - soft) * (0.86 + 0.34 * _noise(variant, 7.0, size)[..., None])
    paint = paint - rims * 0.9
    return 255 - (255 - paint) * _paper_border(variant, size)


@cache
def _hatching(size: int) -> tuple[_Array, _Array]:
    """Two layers of pencil strokes, 0 … 1, in both diagonals."""
    y, x = np.mgrid[0 : SIZE * _FINE, 0 : SIZE * _FINE].astype(np.float32) / _FINE

    def strokes(along: _Array) -> _Array:
        wave = np.clip(1.0 - np.abs((along % 4.0) - 2.0) / 0.75, 0, 1)
        finer = SIZE * _FINE // size
        return wave.reshape(size, finer, size, finer).mean(axis=(1, 3)).astype(np.float32)

    return strokes(x + y), strokes(x - y)


def _pencil(values: _Array, variant: int) -> _Array:
    grey = values @ np.array([0.3, 0.59, 0.11], dtype=np.float32)
    first, second = _hatching(len(values))
    page = 250 - (255 - grey) * 0.42
    page = page - 85 * first * np.clip((190 - grey) / 60, 0, 1)
    page = page - 70 * second * np.clip((105 - grey) / 40, 0, 1)
    page = page - 110 * np.clip((45 - grey) / 30, 0, 1)  # outlines, eyes and what is black
    return np.repeat(page[..., None], 3, axis=2)


def _window(centre: float, reach: float, size: int) -> slice:
    """The pixels of a row or column that are no farther from ``centre`` than ``reach``, and a few more."""
    pixels = size / SIZE
    return slice(max(0, int((centre - reach) * pixels) - 1), int((centre + reach) * pixels) + 2)


@cache
def _dabs(variant: int, length: int, width: int, size: int) -> tuple[Any, Any, _Array]:
    """Brush strokes that cover the canvas: for each pixel the centre (row, column) of the stroke on top, and
    its relief."""
    rng = np.random.default_rng(variant * 100 + length)
    rows, columns = _positions(size)
    relief = np.zeros((size, size), dtype=np.float32)
    y, x = np.mgrid[0:size, 0:size]
    reach = np.hypot(length, width) / 2
    for _ in range(SIZE * SIZE * 4 // (length * width)):
        cy, cx = rng.uniform(0, SIZE, 2)
        angle = 0.9 * np.sin(cx / 21.0) + 0.7 * np.cos(cy / 17.0) + 0.5
        near = _window(cy, reach, size), _window(cx, reach, size)
        right, down = columns[near] - cx, rows[near] - cy
        u = right * np.cos(angle) + down * np.sin(angle)
        v = -right * np.sin(angle) + down * np.cos(angle)
        inside = (u / length) ** 2 + (v / width) ** 2 < 0.25
        y[near][inside], x[near][inside] = (min(int(centre * size / SIZE), size - 1) for centre in (cy, cx))
        relief[near][inside] = (2 * v / width)[inside]
    return y, x, relief


def _oil(values: _Array, variant: int) -> _Array:
    """Broad strokes on even ground, fine ones where there is something to see."""
    soft = _blurred(values, 1.0)
    busy = np.abs(values - _blurred(values, 3.0)).mean(axis=2)
    fine = np.clip((_blurred(np.repeat(busy[..., None], 3, 2) * 6, 2.0)[..., :1] - 40) / 20, 0, 1)
    layers = []
    for length, width, source, depth in ((15, 5, soft, 15.0), (5, 2, values, 7.0)):
        y, x, relief = _dabs(variant, length, width, len(values))
        layers.append(source[y, x] + depth * relief[..., None])
    # Strokes alone would break up eyes and whiskers.
    painted = layers[0] * (1 - fine) + (layers[1] * 0.45 + values * 0.55) * fine
    painted = _blurred(painted, 0.5)
    rich = painted + (painted - painted.mean(axis=2, keepdims=True)) * 0.22
    return rich * 0.95 + 2
