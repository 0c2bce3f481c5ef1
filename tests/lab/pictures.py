"""Small pictures for people to post."""

from __future__ import annotations

import io

from PIL import Image


def holes(width: int = 96, height: int = 64) -> bytes:
    """A red picture whose left half is transparent."""
    picture = Image.new("RGBA", (width, height), (200, 40, 40, 255))
    picture.paste((0, 0, 0, 0), (0, 0, width // 2, height))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def png(width: int = 64, height: int = 48, colour: tuple[int, int, int] = (200, 40, 40)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "PNG")
    return buffer.getvalue()
