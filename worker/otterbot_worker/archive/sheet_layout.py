"""Where everything of a contact sheet lies: pure arithmetic, in pixels.

```
┌───────────────────────────────┐
│         cfg 4     cfg 8       │  titles of columns
│ ddim   ┌2──────┐ ┌3──────┐    │  names of fields, in a corner of each
│        │       │ │       │    │
│        └───────┘ └───────┘    │
│         title     title       │  titles of pictures
│ caption                       │
└───────────────────────────────┘
```
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MAX_SIDE = 4_096
MAX_PIXELS = 12_000_000
MIN_TEXT = 12
"""Pixels. Smaller letters cannot be read."""

Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Box:
    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Bands:
    """What stands beside the pictures."""

    columns: bool = False
    """Titles above the columns."""
    rows: float = 0.0
    """The width of the rows' titles, in heights of a letter; 0: there are none."""
    titles: bool = False
    """A title below each picture."""
    caption: int = 0
    """Lines."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    columns: int
    rows: int
    cell: Pair
    text: int
    """Height of letters."""
    gap: int
    """Between pictures, and at the edges."""
    top: int
    """Height of the columns' titles."""
    left: int
    """Width of the rows' titles."""
    below: int
    """Height of the title below a picture."""
    foot: int
    """Height of the caption."""

    @property
    def size(self) -> Pair:
        across = self.gap + self.left + self.columns * (self.cell[0] + self.gap)
        down = self.gap + self.top + self.rows * (self.cell[1] + self.below + self.gap) + self.foot
        return across, down

    @property
    def line(self) -> int:
        """Height of a line of text."""
        return line_of(self.text)

    def field(self, index: int) -> Box:
        """Of a picture, row by row."""
        row, column = divmod(index, self.columns)
        return Box(
            left=self.gap + self.left + column * (self.cell[0] + self.gap),
            top=self.gap + self.top + row * (self.cell[1] + self.below + self.gap),
            width=self.cell[0],
            height=self.cell[1],
        )

    def title(self, index: int) -> Box:
        """Of the title below a picture."""
        field = self.field(index)
        return Box(left=field.left, top=field.top + field.height, width=field.width, height=self.below)

    def column_title(self, column: int) -> Box:
        field = self.field(column)
        return Box(left=field.left, top=self.gap // 2, width=field.width, height=self.top)

    def row_title(self, row: int) -> Box:
        field = self.field(row * self.columns)
        return Box(left=self.gap, top=field.top, width=self.left - self.gap, height=field.height)

    def caption(self) -> Box:
        width, height = self.size
        return Box(left=self.gap, top=height - self.foot, width=width - 2 * self.gap, height=self.foot - self.gap // 2)


def line_of(text: int) -> int:
    return round(text * 1.35)


def layout(count: int, columns: int, picture: Pair, bands: Bands) -> Layout:
    """The largest sheet within the limits, on which a picture of the size ``picture`` is not enlarged."""
    scale = 1.0
    while True:
        found = _scaled(count, columns, picture, bands, scale)
        width, height = found.size
        if width <= MAX_SIDE and height <= MAX_SIDE and width * height <= MAX_PIXELS:
            return found
        least = min(MAX_SIDE / width, MAX_SIDE / height, math.sqrt(MAX_PIXELS / (width * height)))
        scale *= min(least, 0.995)


def _scaled(count: int, columns: int, picture: Pair, bands: Bands, scale: float) -> Layout:
    cell = max(8, int(picture[0] * scale)), max(8, int(picture[1] * scale))
    rows = -(-count // columns)
    # Seen as a whole, on a phone, names have to be read as well as on a large screen: their height follows the sheet's.
    least, most = min(cell) * 0.07, min(cell) * 0.18
    text = max(MIN_TEXT, round(min(most, max(least, max(columns * cell[0], rows * cell[1]) / 36))))
    gap = max(2, round(text * 0.35))
    return Layout(
        columns=columns,
        rows=rows,
        cell=cell,
        text=text,
        gap=gap,
        top=line_of(text) if bands.columns else 0,
        left=round(min(bands.rows * text, cell[0] * 0.6)) + gap if bands.rows else 0,
        below=line_of(text) if bands.titles else 0,
        foot=bands.caption * line_of(text) + gap if bands.caption else 0,
    )
