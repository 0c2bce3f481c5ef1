"""The film of a picture: its early steps and the picture itself, one after another, as an animated WebP.

It holds pixels alone: no record and no prompt travels in it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

FILM_TYPE = "image/webp"
SIDES = (512, 384, 256)
"""Pixels of the longer side at most; the smaller ones where the file would be too large. It is never larger than its
picture."""
QUALITIES = (80, 60)
MOST_BYTES = 2_000_000
EARLY_MS = 3_000
"""Milliseconds that the early steps take together, within `FRAME_MS` for each."""
FRAME_MS = (100, 400)
HELD_MS = 2_500
"""For which the finished picture stands before it begins anew."""
_EFFORT = 2
"""libwebp's method, 0 to 6: half the time of its default for files a tenth larger, as measured on 512x512."""


@dataclass(frozen=True, kw_only=True)
class Frames:
    """JPEGs of the early steps, in their order. ``shown``: which part of their width and height is the picture, from
    the upper left; the rest is what was drawn beside it."""

    jpegs: Sequence[bytes]
    shown: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Film:
    webp: bytes
    width: int
    height: int
    frames: int


def make(frames: Frames, scratch: Path, width: int, height: int) -> Film | None:
    """``scratch``: the finished picture's raw RGB. ``None`` where there is nothing before it to be shown, or nothing
    fits into `MOST_BYTES`.

    Raises `OSError` where it cannot be read, or a frame is no picture.
    """
    from PIL import Image

    if not frames.jpegs:
        return None
    picture = Image.frombytes("RGB", (width, height), scratch.read_bytes())
    for size in dict.fromkeys(_size(width, height, side) for side in SIDES):
        images = [*_early(frames, size), picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)]
        for quality in QUALITIES:
            if len(webp := _encode(images, quality)) <= MOST_BYTES:
                return Film(webp=webp, width=size[0], height=size[1], frames=len(images))
    return None


def _size(width: int, height: int, side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _early(frames: Frames, size: tuple[int, int]) -> Iterator[Image.Image]:
    from PIL import Image

    for jpeg in frames.jpegs:
        frame = Image.open(io.BytesIO(jpeg), formats=("JPEG",)).convert("RGB")
        part = (0.0, 0.0, frame.width * frames.shown[0], frame.height * frames.shown[1])
        yield frame.resize(size, Image.Resampling.BICUBIC, box=part)


def _encode(images: Sequence[Image.Image], quality: int) -> bytes:
    early = len(images) - 1
    each = min(max(EARLY_MS // early, FRAME_MS[0]), FRAME_MS[1])
    file = io.BytesIO()
    images[0].save(
        file,
        "WEBP",
        save_all=True,
        append_images=images[1:],
        duration=[each] * early + [HELD_MS],
        loop=0,
        quality=quality,
        method=_EFFORT,
    )
    return file.getvalue()
