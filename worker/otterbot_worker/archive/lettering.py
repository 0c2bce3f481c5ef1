"""Words on contact sheets: a font for them, and what of them fits.

Pillow brings a font for the signs of ASCII. Accents are taken off where it must do; other scripts need one of the fonts
that Linux distributions install. A sign that no font has becomes a question mark: what the fields are is also said in
the message with the sheet.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import ImageFont

    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

INSTALLED = tuple(
    Path("/usr/share/fonts") / name
    for name in (
        "truetype/dejavu/DejaVuSans.ttf",
        "dejavu-sans-fonts/DejaVuSans.ttf",
        "TTF/DejaVuSans.ttf",
        "truetype/noto/NotoSans-Regular.ttf",
        "opentype/noto/NotoSansCJK-Regular.ttc",
        "noto-cjk/NotoSansCJK-Regular.ttc",
    )
)
"""Where Debian, Fedora and Arch put them; the first that has all signs of a text writes it."""
_FOLDED = str.maketrans({"×": "x", "–": "-", "—": "-", "…": "...", "’": "'", "‘": "'", "“": '"', "”": '"', "ß": "ss"})
ELLIPSIS = "..."


@lru_cache(maxsize=64)
def own(size: int) -> Font:
    """Pillow's own font. ``size`` in pixels; where Pillow was built without FreeType, its letters have one size."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


@lru_cache(maxsize=64)
def _installed(path: Path, size: int) -> Font | None:
    from PIL import ImageFont

    try:
        return ImageFont.truetype(str(path), size)
    except (OSError, ImportError):
        return None


def writable(text: str, size: int) -> tuple[str, Font]:
    """``text`` in one line as it can be written, and the font for it."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if text.isascii():
        return text, own(size)
    for path in INSTALLED:
        if (font := _installed(path, size)) is not None and _has_all(font, text):
            return text, font
    folded = unicodedata.normalize("NFKD", text.translate(_FOLDED))
    plain = (c for c in folded if not unicodedata.combining(c))
    return "".join(c if c.isascii() else "?" for c in plain), own(size)


def _has_all(font: Font, text: str) -> bool:
    missing = bytes(font.getmask("\U0010fffe"))
    return all(c.isspace() or bytes(font.getmask(c)) != missing for c in set(text))


def fitting(text: str, font: Font, width: float) -> str:
    """As much of one line as is at most ``width`` pixels wide."""
    if font.getlength(text) <= width:
        return text
    least, most = 0, len(text)
    while least < most:
        middle = (least + most + 1) // 2
        if font.getlength(text[:middle].rstrip() + ELLIPSIS) <= width:
            least = middle
        else:
            most = middle - 1
    return text[:least].rstrip() + ELLIPSIS if least else ""


def lines(text: str, font: Font, width: float, most: int) -> list[str]:
    """``text`` broken between words into at most ``most`` lines; the last one ends where it does not fit."""
    found: list[str] = []
    words = text.split()
    while words and len(found) < most:
        if len(found) == most - 1:
            found.append(fitting(" ".join(words), font, width))
            break
        taken = _words_of_a_line(words, font, width)
        found.append(fitting(" ".join(words[:taken]), font, width))
        words = words[taken:]
    return found


def _words_of_a_line(words: list[str], font: Font, width: float) -> int:
    taken = 1
    while taken < len(words) and font.getlength(" ".join(words[: taken + 1])) <= width:
        taken += 1
    return taken


def widest(texts: Iterable[str], size: int) -> float:
    """Width of the widest one, in pixels."""
    return max((font.getlength(text) for text, font in (writable(text, size) for text in texts)), default=0.0)
