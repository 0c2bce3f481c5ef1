"""Pictures that are sent to start from, the same bytes every time; and some that are refused."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageDraw


def _encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return data.getvalue()


def _scene(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Red grows to the right, green downwards; a disc, so that there are edges."""
    picture = Image.new("RGB", (width, height))
    picture.putdata([(255 * x // width, 255 * y // height, 80) for y in range(height) for x in range(width)])
    ImageDraw.Draw(picture).ellipse((width // 4, height // 4, 3 * width // 4, 3 * height // 4), fill=(230, 40, 200))
    return picture.convert(mode)


def _holes(width: int, height: int) -> bytes:
    picture = _scene(width, height, "RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, width // 2, height))
    return _encoded(picture)


def _mask(width: int, height: int) -> bytes:
    """White in the middle, and a grey border of it."""
    picture = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((width // 4, height // 4, 3 * width // 4, 3 * height // 4), fill=128)
    draw.rectangle((width // 3, height // 3, 2 * width // 3, 2 * height // 3), fill=255)
    return _encoded(picture)


def _lying() -> bytes:
    """A phone's JPEG, lying on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return _encoded(_scene(80, 64), "JPEG", quality=90, exif=exif)


def pictures() -> dict[str, tuple[str, bytes]]:
    """Media type and bytes by name."""
    moving = _encoded(_scene(64, 64), "GIF", save_all=True, append_images=[Image.new("RGB", (64, 64), "blue")])
    return {
        "scene": ("image/png", _encoded(_scene(64, 64))),
        "wide": ("image/png", _encoded(_scene(96, 64))),
        "photo": ("image/webp", _encoded(_scene(200, 150), "WEBP", lossless=True)),
        "lying": ("image/jpeg", _lying()),
        "moving": ("image/gif", moving),
        "holes": ("image/png", _holes(96, 64)),
        "odd holes": ("image/png", _holes(70, 50)),
        "mask": ("image/png", _mask(64, 64)),
        "wide mask": ("image/png", _mask(96, 64)),
        "black": ("image/png", _encoded(Image.new("L", (64, 64), 0))),
        "huge": ("image/png", _encoded(_scene(300, 200))),
    }


def bad_pictures() -> dict[str, tuple[str, bytes]]:
    whole = _encoded(_scene(64, 64))
    return {
        "unreadable": ("image/png", b"this is no picture"),
        "cut off": ("image/png", whole[: len(whole) // 2]),
        "too small": ("image/png", _encoded(_scene(4, 4))),
        "too large": ("image/png", _encoded(_scene(1400, 800))),
        "no picture type": ("text/plain", whole),
        "too many bytes": ("image/png", b"\0" * 1_100_000),
    }
