"""A picture in a terminal: two pixels in each character, with the upper half block."""

from __future__ import annotations

import io

from PIL import Image

Pixel = tuple[int, int, int]


def _code(pixel: Pixel, colours: int) -> str:
    if colours > 256:
        return "2;{};{};{}".format(*pixel)
    r, g, b = (round(value / 51) for value in pixel)
    return f"5;{16 + 36 * r + 6 * g + b}"


def render(data: bytes, *, columns: int, colours: int) -> list[str]:
    """Lines with colour codes, ``columns`` wide at most; ``colours`` as the terminal can (256 or more)."""
    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGB")
    width = min(columns, picture.width)
    height = max(2, round(picture.height * width / picture.width) // 2 * 2)
    small = picture.resize((width, height), Image.Resampling.LANCZOS)
    rows = [[_pixel(small, x, y) for x in range(width)] for y in range(height)]
    return [_line(top, bottom, colours) for top, bottom in zip(rows[::2], rows[1::2], strict=True)]


def _line(top: list[Pixel], bottom: list[Pixel], colours: int) -> str:
    pairs = zip(top, bottom, strict=True)
    cells = [f"\x1b[38;{_code(upper, colours)};48;{_code(lower, colours)}m▀" for upper, lower in pairs]
    return "".join(cells) + "\x1b[0m"


def _pixel(picture: Image.Image, x: int, y: int) -> Pixel:
    value = picture.getpixel((x, y))
    assert isinstance(value, tuple)
    return value[0], value[1], value[2]
