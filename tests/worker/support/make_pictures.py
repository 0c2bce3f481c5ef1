"""Small pictures of every kind, good and hostile, as bytes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
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
    """So many zeros, as zlib packs them. One block again and again: to pack a gigabyte takes seconds."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(b"\0" * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = (mebibytes * 2**20 % 65521) << 16 | 1
    return b"\x78\xda" + block * mebibytes + packer.flush() + struct.pack(">I", checksum)


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
UNREADABLE, TOO_LARGE, TOO_SMALL, CUT_OFF = (
    (422, f"picture_{why}") for why in ("unreadable", "too_large", "too_small", "cut_off")
)
BAD_PICTURES: dict[str, tuple[bytes, str, tuple[int, str]]] = {
    "no bytes": (b"", PNG, UNREADABLE),
    "text that is called a png": (b"I am an otter.png canary5f1e " * 20, PNG, UNREADABLE),
    "one pixel": (encoded(Image.new("RGB", (1, 1)), "PNG"), PNG, TOO_SMALL),
    "thirty thousand pixels": (bomb(30_000, 20), PNG, TOO_LARGE),
    "a decompression bomb": (bomb(16_000, 16_000), PNG, TOO_LARGE),
    "a bomb in the colour profile": (profile_bomb(), PNG, (413, "too_large")),
    "a bomb in a frame": (gif_bomb(), GIF, TOO_LARGE),
    "a jpeg that claims too much": (jpeg_bomb(), JPEG, TOO_LARGE),
    "a truncated jpeg": (encoded(gradient(), "JPEG")[:400], JPEG, CUT_OFF),
    "a truncated picture": (encoded(gradient(), "WEBP")[:-30], WEBP, CUT_OFF),
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


def profile(primaries: tuple[tuple[float, float], ...] | None, *, gamma: float) -> bytes:
    """An ICC profile: of a screen with such primaries (x and y, D65) and that gamma, or of grey."""

    def fixed(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def xyz(values: Sequence[float]) -> bytes:
        return b"XYZ " + bytes(4) + b"".join(map(fixed, values))

    curve = b"curv" + bytes(4) + struct.pack(">IHH", 1, round(gamma * 256), 0)
    tags = {b"wtpt": xyz(_D50)}
    if primaries is None:
        tags[b"kTRC"] = curve
    else:
        columns = [[x / y, 1.0, (1 - x - y) / y] for x, y in primaries]
        matrix = np.array(columns).T
        scaled = matrix * np.linalg.solve(matrix, _D65)
        adapted = (_BRADFORD_INVERSE @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ _D65)) @ _BRADFORD) @ scaled
        for name, column in zip("rgb", adapted.T, strict=True):
            tags[f"{name}XYZ".encode()] = xyz(column)
            tags[f"{name}TRC".encode()] = curve
    return _icc(b"GRAY" if primaries is None else b"RGB ", b"mntr", b"XYZ ", tags)


def printers_profile() -> bytes:
    """An ICC profile of four inks on white paper: a table of what each mixture of full ones looks like."""
    inks = np.array([[-40, -30, -45], [-45, 70, -5], [-10, -5, 85], [-85, 0, 0]])  # cyan, magenta, yellow, black
    corners = b""
    for number in range(16):
        amounts = np.array([number >> 3 & 1, number >> 2 & 1, number >> 1 & 1, number & 1])
        lightness, a, b = np.array([95.0, 0.0, 0.0]) + amounts @ inks
        lightness, a, b = max(lightness, 3.0), a * (1 - amounts[3]), b * (1 - amounts[3])
        corners += bytes(int(np.clip(round(value), 0, 255)) for value in (lightness * 2.55, a + 128, b + 128))
    straight = bytes(range(256))
    identity = [fixed for row in np.eye(3) for fixed in row]
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + b"".join(struct.pack(">i", round(65536 * x)) for x in identity)
    table += straight * 4 + corners + straight * 3
    white = b"XYZ " + bytes(4) + b"".join(struct.pack(">i", round(value * 65536)) for value in _D50)
    return _icc(b"CMYK", b"prtr", b"Lab ", {b"wtpt": white, b"A2B0": table})


def _icc(space: bytes, device: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    name = b"x"
    tags[b"desc"] = b"desc" + bytes(4) + struct.pack(">I", len(name) + 1) + name + bytes(1 + 4 + 4 + 2 + 1 + 67)
    tags[b"cprt"] = b"text" + bytes(4) + b"none\0"
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for kind, data in tags.items():
        table += kind + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">I", start + len(body)) + bytes(4) + b"\x02\x10\0\0" + device + space + connection
    header += bytes(12) + b"acsp" + bytes(28) + b"".join(struct.pack(">i", round(65536 * value)) for value in _D50)
    return header + bytes(128 - len(header)) + table + body


_D65, _D50 = np.array([0.95047, 1.0, 1.08883]), np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_BRADFORD_INVERSE = np.linalg.inv(_BRADFORD)
