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
    return encoded(gradient(), "JPEG", exif=turned_by(orientation))


def turned_by(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def hole(kind: str = "PNG", *, size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    """A red picture of which a corner is cut out, the one that EXIF's orientation 6 turns to the left and top too."""
    picture = Image.new("RGBA", size, "red")
    width, height = size
    corner = (0, height // 2, width // 2, height) if "exif" in options else (0, 0, width // 2, height // 2)
    picture.paste((0, 0, 255, 0), corner)
    return encoded(picture, kind, **options)


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
    return _with_chunk(b"zTXt", b"Comment\0\0" + _packed(mebibytes=1024))


def sixteen_bits() -> bytes:
    picture = Image.new("I;16", (32, 32))
    picture.putdata([64 * 1024 - 1 if x >= 16 else 0x8000 for _ in range(32) for x in range(32)])
    return encoded(picture, "PNG")


def profile_bomb() -> bytes:
    """A small PNG whose colour profile unpacks to a quarter of a gigabyte."""
    return _with_chunk(b"iCCP", b"x\0\0" + _packed(mebibytes=256))


def _packed(*, mebibytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(b"\0" * 2**20) for _ in range(mebibytes)) + packer.flush()


def _with_chunk(kind: bytes, data: bytes) -> bytes:
    """A small PNG with one more chunk, behind its header."""
    whole = png()
    return whole[:33] + chunk(kind, data) + whole[33:]


def gif_bomb() -> bytes:
    """A GIF of 32 by 32 whose one frame says that it is 60,000 by 60,000."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 32, 32, 0x80, 0, 0) + bytes(6)
    return screen + b"," + struct.pack("<HHHHB", 0, 0, 60_000, 60_000, 0) + b"\2\2\x4c\1\0;"


def jpeg_bomb() -> bytes:
    """A JPEG whose header says 65,500 by 65,500."""
    data = bytearray(encoded(gradient(), "JPEG"))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", 65_500, 65_500)
    return bytes(data)


PNG, JPEG, GIF, WEBP = "image/png", "image/jpeg", "image/gif", "image/webp"
UNREADABLE, TOO_LARGE, TOO_SMALL = ((422, f"picture_{why}") for why in ("unreadable", "too_large", "too_small"))
BAD_PICTURES: dict[str, tuple[bytes, str, tuple[int, str]]] = {
    "no bytes": (b"", PNG, UNREADABLE),
    "text that is called a png": (b"I am an otter.png canary5f1e " * 20, PNG, UNREADABLE),
    "one pixel": (encoded(Image.new("RGB", (1, 1)), "PNG"), PNG, TOO_SMALL),
    "thirty thousand pixels": (bomb(30_000, 20), PNG, TOO_LARGE),
    "a decompression bomb": (bomb(16_000, 16_000), PNG, TOO_LARGE),
    "a bomb in the colour profile": (profile_bomb(), PNG, (413, "too_large")),
    "a bomb in a frame": (gif_bomb(), GIF, TOO_LARGE),
    "a jpeg that claims too much": (jpeg_bomb(), JPEG, TOO_LARGE),
    "a truncated jpeg": (encoded(gradient(), "JPEG")[:400], JPEG, UNREADABLE),
    "a truncated animation": (animation("WEBP")[:-30], WEBP, UNREADABLE),
    "a drawing in words": (b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>', PNG, UNREADABLE),
    "a drawing as such": (b"<svg/>", "image/svg+xml", (415, "unsupported_media_type")),
    "a page": (b"%PDF-1.7", "application/pdf", (415, "unsupported_media_type")),
    "over the cap": (png() + b"x" * 100_000, PNG, (413, "too_large")),
}


def scanned(count: int) -> bytes:
    """A progressive JPEG whose decoder goes over its pixels so many times: the last scan comes again and again."""
    data = encoded(gradient(), "JPEG", quality=95, progressive=True)
    marks = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]
    return data[:-2] + data[marks[-1] : -2] * (count - len(marks)) + data[-2:]


def crumbled() -> bytes:
    """A PNG with a hundred thousand empty parts before its pixels."""
    whole = png()
    return whole[:33] + chunk(b"teSt", b"") * 100_000 + whole[33:]


def commented() -> bytes:
    """A GIF with a hundred thousand comments before its image."""
    data = encoded(gradient().quantize(4), "GIF")
    at = 13 + 3 * 2 ** (data[10] % 8 + 1)
    return data[:at] + b"!\xfe\x01x\0" * 100_000 + data[at:]
