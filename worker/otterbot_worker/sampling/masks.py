"""Inpainting masks: white is repainted, black stays. Read by the same function where a request is checked and where it
is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

ANEW = 128
"""Of 255. From this brightness on a pixel counts as masked; darker ones are blended."""
NOISE = 16
"""Of 255. Darker pixels count as black: JPEG and scaling leave such traces."""
SHAPES_DIFFER = 0.02
"""Tolerated relative difference between the aspect ratios of mask and picture, whose sides are rounded."""


def read(path: Path, width: int, height: int) -> Image.Image:
    """The mask in grey, scaled to fill the size and centre-cropped like its picture.

    Bilinear, because Lanczos would ring at every edge.

    :raises OSError: :raises SyntaxError: :raises ValueError: it is not there, or damaged
    """
    from PIL import Image, ImageOps  # imported late: it is slow to import

    with Image.open(path, formats=("PNG",)) as picture:
        mask = ImageOps.fit(picture.convert("L"), (width, height), Image.Resampling.BILINEAR)
    return mask.point([0 if value < NOISE else value for value in range(256)])


def share(mask: Image.Image) -> float:
    """The share of masked pixels, 0 to 1."""
    return sum(mask.histogram()[ANEW:]) / (mask.width * mask.height)


def same_shape(picture: tuple[int, int], mask: tuple[int, int]) -> bool:
    """Whether both have the same aspect ratio. Width and height in pixels."""
    return abs(picture[0] * mask[1] / (picture[1] * mask[0]) - 1) <= SHAPES_DIFFER
