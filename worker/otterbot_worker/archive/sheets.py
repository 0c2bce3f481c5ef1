"""A contact sheet: all pictures of a job as one, with a name in a corner of each.

The same pictures and words make the same sheet. Pillow is imported when the first one is made.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import lettering, pictures
from .sheet_layout import Bands, Box, Layout, layout, line_of

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

MAX_BYTES = 8_000_000
MIMETYPE = "image/jpeg"
"""Every client shows it, and a sheet as PNG would be as large as its pictures together."""
_QUALITIES = (88, 80, 70, 55, 35)
GONE = "not here any more"

_GROUND = (24, 24, 27)
_EMPTY = (52, 52, 58)
_WORDS = (236, 236, 240)
_FAINT = (170, 170, 178)
_BADGE = (0, 0, 0)
_BADGE_EDGE = (255, 255, 255)
"""A badge is black with white letters and a white edge, so it is seen on whatever is drawn."""
_SQUARE = (512, 512)
"""The size of fields where no picture says one."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """Of one picture. ``absence``: a few words that stand in the field where there is no ``picture``, a file."""

    name: str
    picture: Path | None = None
    absence: str = GONE


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Everything that is on a sheet. Titles are one for each, or none."""

    columns: int
    fields: Sequence[Field]
    column_titles: Sequence[str] = ()
    row_titles: Sequence[str] = ()
    titles: Sequence[str] = ()
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Composed:
    encoded: pictures.Encoded
    shown: tuple[bool, ...]
    """Of each field, whether its picture is in it."""


def compose(contents: Contents) -> Composed:
    """The sheet as a JPEG. A picture that cannot be read leaves a field that says so."""
    from PIL import Image, ImageDraw

    found = layout(len(contents.fields), contents.columns, _picture_size(contents.fields), _bands(contents))
    sheet = Image.new("RGB", found.size, _GROUND)
    draw = ImageDraw.Draw(sheet)
    shown = []
    for index, field in enumerate(contents.fields):
        box = found.field(index)
        picture = _read(field.picture, (box.width, box.height))
        shown.append(picture is not None)
        if picture is None:
            _absent(draw, box, field.absence, found)
        else:
            middle = box.left + (box.width - picture.width) // 2, box.top + (box.height - picture.height) // 2
            sheet.paste(picture, middle)
        _badge(draw, box, field.name, found)
    _titles(draw, contents, found)
    return Composed(encoded=_encoded(sheet), shown=tuple(shown))


def _picture_size(fields: Sequence[Field]) -> tuple[int, int]:
    """What all pictures fit into, unscaled."""
    from PIL import Image

    sizes = []
    for path in (field.picture for field in fields if field.picture is not None):
        try:
            with Image.open(path, formats=["PNG"]) as picture:
                sizes.append(picture.size)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue
    return (max(size[0] for size in sizes), max(size[1] for size in sizes)) if sizes else _SQUARE


def _bands(contents: Contents) -> Bands:
    size = 20
    rows = lettering.widest(contents.row_titles, size) / size
    return Bands(
        columns=any(contents.column_titles),
        rows=rows,
        titles=any(contents.titles),
        caption=2 if contents.caption.strip() else 0,
    )


def _read(path: Path | None, size: tuple[int, int]) -> Image.Image | None:
    """The picture, made smaller where it is larger than ``size``; ``None`` where it cannot be read."""
    from PIL import Image

    if path is None:
        return None
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            if picture.width * picture.height > pictures.MAX_PIXELS:
                return None
            whole = picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    whole.thumbnail(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return whole


def _absent(draw: ImageDraw.ImageDraw, box: Box, words: str, found: Layout) -> None:
    right, bottom = box.left + box.width - 1, box.top + box.height - 1
    draw.rectangle((box.left, box.top, right, bottom), fill=_EMPTY)
    edge = max(1, found.text // 12)
    draw.line((box.left, bottom, right, box.top), fill=_GROUND, width=edge)
    _centred(draw, box, words, found.text, most=2, colour=_WORDS, ground=_EMPTY)


def _badge(draw: ImageDraw.ImageDraw, box: Box, name: str, found: Layout) -> None:
    """The field's name in its upper left corner."""
    size = found.text
    text, font = lettering.writable(name, size)
    across, down = max(size, font.getlength(text) + size * 0.6), size * 1.25
    inset, edge = max(1, size // 5), max(1, size // 14)
    left, top = box.left + inset, box.top + inset
    shape = (left, top, round(left + across), round(top + down))
    draw.rounded_rectangle(shape, radius=max(2, size // 4), fill=_BADGE, outline=_BADGE_EDGE, width=edge)
    draw.text((left + across / 2, top + down / 2), text, font=font, fill=_BADGE_EDGE, anchor="mm")


def _titles(draw: ImageDraw.ImageDraw, contents: Contents, found: Layout) -> None:
    for column, title in enumerate(contents.column_titles[: found.columns]):
        _centred(draw, found.column_title(column), title, found.text, most=1, colour=_WORDS)
    for row, title in enumerate(contents.row_titles[: found.rows]):
        _centred(draw, found.row_title(row), title, found.text, most=4, colour=_WORDS)
    for index, title in enumerate(contents.titles[: len(contents.fields)]):
        _centred(draw, found.title(index), title, round(found.text * 0.85), most=1, colour=_WORDS)
    if contents.caption.strip():
        _centred(draw, found.caption(), contents.caption, round(found.text * 0.85), most=2, colour=_FAINT)


def _centred(
    draw: ImageDraw.ImageDraw,
    box: Box,
    words: str,
    size: int,
    *,
    most: int,
    colour: tuple[int, int, int],
    ground: tuple[int, int, int] | None = None,
) -> None:
    """``words`` in the middle of ``box``, in at most ``most`` lines. ``ground``: a colour behind them."""
    text, font = lettering.writable(words, size)
    written = [line for line in lettering.lines(text, font, box.width * 0.96, most) if line]
    step = line_of(size)
    middle = box.left + box.width / 2
    first = box.top + box.height / 2 - step * (len(written) - 1) / 2
    for number, line in enumerate(written):
        place = middle, first + number * step
        if ground is not None:
            half = font.getlength(line) / 2 + size * 0.3
            draw.rectangle((middle - half, place[1] - step / 2, middle + half, place[1] + step / 2), fill=ground)
        draw.text(place, line, font=font, fill=colour, anchor="mm")


def _encoded(sheet: Image.Image) -> pictures.Encoded:
    data = b""
    for quality in _QUALITIES:
        file = io.BytesIO()
        # Colours at full resolution: letters of one colour on another blur otherwise.
        sheet.save(file, "JPEG", quality=quality, subsampling=0, optimize=True)
        data = file.getvalue()
        if len(data) <= MAX_BYTES:
            break
    return pictures.with_thumbnail(sheet, data, MIMETYPE, pictures.SHEET_THUMBNAIL_SIDE)
