"""Whether two pictures have the same layout: the correlation of their edges. Free of torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .judge import Floats, Pixels

SOFTNESS = 2.0
"""Pixels (sigma) of blur on edges, so that a line moved by a pixel still matches."""


def edges(pictures: Pixels) -> Floats:
    """N×H×W: how strong the edges are, Sobel on the brightness, softened before and after."""
    gray = _soft(pictures.astype(np.float32).mean(axis=3), 1.0)
    across = _along(_along(gray, (-1, 0, 1), axis=2), (1, 2, 1), axis=1)
    down = _along(_along(gray, (-1, 0, 1), axis=1), (1, 2, 1), axis=2)
    return _soft(np.hypot(across, down), SOFTNESS)


def edge_correlation(left: Pixels, right: Pixels) -> Floats:
    """N Pearson correlations, each of a pair of pictures N×H×W×3; 0 where one of the two has no edges at all.

    :raises ValueError: the pictures are not of one shape
    """
    if left.shape != right.shape:
        raise ValueError(f"pictures of {left.shape} and {right.shape} cannot be compared")
    one, other = (edges(pictures).reshape(len(pictures), -1) for pictures in (left, right))
    one = one - one.mean(axis=1, keepdims=True)
    other = other - other.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    products = (one * other).sum(axis=1)
    result: Floats = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 1e-6)
    return result


def _soft(values: Floats, sigma: float) -> Floats:
    radius = math.ceil(sigma * 2.5)
    line = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    weights = tuple(float(weight) for weight in line / line.sum())
    return _along(_along(values, weights, axis=1), weights, axis=2)


def _along(values: Floats, weights: tuple[float, ...], *, axis: int) -> Floats:
    """A weighted sum of neighbours on one axis; the margin is repeated."""
    radius = len(weights) // 2
    margins = [(radius, radius) if number == axis else (0, 0) for number in range(values.ndim)]
    wide = np.pad(values, margins, mode="edge")
    length = values.shape[axis]
    total = np.zeros_like(values)
    for offset, weight in enumerate(weights):
        total += np.float32(weight) * np.take(wide, range(offset, offset + length), axis=axis)
    return total
