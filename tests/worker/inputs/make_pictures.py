"""Small pictures of every kind, good and hostile, as bytes."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return data.getvalue()


def gradient(width: int = 64, height: int = 48) -> Image.Image:
    """Red grows to the right, green downwards."""
    picture = Image.new("RGB", (width, height))
    picture.putdata([(255 * x // width, 255 * y // height, 80) for y in range(height) for x in range(width)])
    return picture


def png(width: int = 64, height: int = 48) -> bytes:
    return encoded(gradient(width, height), "PNG")


def turned(orientation: int = 6) -> bytes:
    """A phone's JPEG, lying on its side."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(gradient(), "JPEG", exif=exif)


def animation(kind: str) -> bytes:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:])


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """A PNG that says how large it is and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A small PNG whose compressed text is a gigabyte."""
    whole = png()
    packer = zlib.compressobj(9)
    text = b"".join(packer.compress(b"\0" * 2**20) for _ in range(1024)) + packer.flush()
    return whole[:33] + chunk(b"zTXt", b"Comment\0\0" + text) + whole[33:]


def sixteen_bits() -> bytes:
    picture = Image.new("I;16", (32, 32))
    picture.putdata([64 * 1024 - 1 if x >= 16 else 0x8000 for _ in range(32) for x in range(32)])
    return encoded(picture, "PNG")
