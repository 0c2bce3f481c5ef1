"""Masks: where a picture is drawn anew. White is anew, black stays; read alike where a request is judged and where it
is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

ANEW = 128
"""Of 255: from here on a pixel is drawn anew; what is darker mixes both."""
NOISE = 16
"""Below it a pixel is black: JPEGs and scaling leave such traces."""
SHAPES_DIFFER = 0.02
"""How much the ratio of the sides of a mask may differ from its picture's: sides are whole pixels."""


def read(path: Path, width: int, height: int) -> Image.Image:
    """The mask in grey, scaled to fill the size and cut off evenly, as the picture is that it belongs to.

    Bilinear, where the picture takes Lanczos: that one would leave waves beside every edge.

    :raises OSError: :raises SyntaxError: :raises ValueError: it is not there, or damaged
    """
    from PIL import Image, ImageOps  # not before a mask comes: it takes its time

    with Image.open(path, formats=("PNG",)) as picture:
        mask = ImageOps.fit(picture.convert("L"), (width, height), Image.Resampling.BILINEAR)
    return mask.point([0 if value < NOISE else value for value in range(256)])


def share(mask: Image.Image) -> float:
    """How much of the picture is drawn anew, 0 to 1."""
    return sum(mask.histogram()[ANEW:]) / (mask.width * mask.height)


def same_shape(picture: tuple[int, int], mask: tuple[int, int]) -> bool:
    """Whether both are cut alike. Width and height in pixels."""
    return abs(picture[0] * mask[1] / (picture[1] * mask[0]) - 1) <= SHAPES_DIFFER
