"""How sharp a picture is, measured at its own size: the judge sees it reduced. Free of torch.

The measure is the deviation of the Laplacian relative to the deviation of brightness. It falls with every blur, does
not depend on contrast, and is low where a picture falls into blocks; grain and the squares of a JPEG raise it, so it
compares pictures of one prompt with each other and says nothing about how clean they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .judge import Floats, Pixels


def sharpness(pictures: Pixels) -> Floats:
    """N numbers for N×H×W×3; 0 for a picture of one brightness."""
    gray = pictures.astype(np.float32).mean(axis=3)
    middle = gray[:, 1:-1, 1:-1]
    around = gray[:, :-2, 1:-1] + gray[:, 2:, 1:-1] + gray[:, 1:-1, :-2] + gray[:, 1:-1, 2:]
    fine, spread = (4 * middle - around).std(axis=(1, 2)), gray.std(axis=(1, 2))
    result: Floats = np.divide(fine, spread, out=np.zeros_like(fine), where=spread > 0.5)
    return result


def ratios(after: Pixels, before: Pixels) -> Floats:
    """How sharp each picture is relative to its partner; 1 where the partner has no brightness to speak of.

    :raises ValueError: the pictures are not of one shape
    """
    if after.shape != before.shape:
        raise ValueError(f"pictures of {after.shape} and {before.shape} cannot be compared")
    one, other = sharpness(after), sharpness(before)
    result: Floats = np.divide(one, other, out=np.ones_like(one), where=other > 0)
    return result
