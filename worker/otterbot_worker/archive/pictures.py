"""Raw pixels → PNG, thumbnail, blurhash. Pillow is imported when the first picture comes: the API starts without it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..errors import JobFailed

if TYPE_CHECKING:
    from PIL import Image

THUMBNAIL_SIDE = 400
SHEET_THUMBNAIL_SIDE = 800
"""Clients show it in place of the sheet, where each of several pictures is to be seen."""
THUMBNAIL_TYPE = "image/jpeg"
"""JPEG, because every Matrix client shows it; no EXIF, so no prompt travels in it."""
PNG = "image/png"
MAX_PIXELS = 64 * 1024 * 1024

_PNG_LEVEL = 4
"""A third of the time of zlib's default for the same size within a few per cent, as measured on 768x768."""
_HASH_SIDE = 24
"""Blurhash is pure Python and linear in pixels; four waves a side need no more."""


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """A picture ready to be written. Sizes in pixels."""

    data: bytes
    mimetype: str
    width: int
    height: int
    blurhash: str
    thumbnail: bytes
    thumbnail_width: int
    thumbnail_height: int


def encode(scratch: Path, width: int, height: int, texts: Mapping[str, str]) -> Encoded:
    """Reads ``width * height * 3`` bytes of RGB from ``scratch`` and encodes them with ``texts`` as PNG text chunks.

    Raises `JobFailed` (``image_failed``) where the file is not that long, `OSError` where it cannot be read.
    """
    from PIL import Image, PngImagePlugin

    if width < 1 or height < 1 or width * height > MAX_PIXELS or scratch.stat().st_size != width * height * 3:
        raise JobFailed(
            code="image_failed",
            message="The drawn picture did not arrive whole.",
            details={"width": width, "height": height},
        )
    picture = Image.frombytes("RGB", (width, height), scratch.read_bytes())
    chunks = PngImagePlugin.PngInfo()
    for keyword, text in texts.items():
        chunks.add_text(keyword, text)
    png = io.BytesIO()
    picture.save(png, "PNG", pnginfo=chunks, compress_level=_PNG_LEVEL)
    return with_thumbnail(picture, png.getvalue(), PNG, THUMBNAIL_SIDE)


def with_thumbnail(picture: Image.Image, data: bytes, mimetype: str, side: int) -> Encoded:
    """``data``: ``picture`` as a file; ``side``: of the thumbnail, in pixels, at most."""
    from PIL import Image

    small = picture.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    thumbnail = io.BytesIO()
    small.save(thumbnail, "JPEG", quality=80, optimize=True)
    return Encoded(
        data=data,
        mimetype=mimetype,
        width=picture.width,
        height=picture.height,
        blurhash=_blurhash(small),
        thumbnail=thumbnail.getvalue(),
        thumbnail_width=small.width,
        thumbnail_height=small.height,
    )


def _blurhash(picture: Image.Image) -> str:
    import blurhash  # type: ignore[import-untyped]
    from PIL import Image

    scale = _HASH_SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    flat = picture.resize(size, Image.Resampling.BOX).tobytes()
    stride = size[0] * 3
    rows = [[list(flat[at : at + 3]) for at in range(y * stride, (y + 1) * stride, 3)] for y in range(size[1])]
    across, down = (4, 3) if size[0] >= size[1] else (3, 4)
    return cast(str, blurhash.encode(rows, across, down))
