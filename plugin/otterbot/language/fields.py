"""What a field of a contact sheet is called: ``2``, or by column and row as on a spreadsheet, ``B3``. Pure.

Both may be said of every sheet: ``B1`` of one with three columns is its second field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .typed import clean, folded

MOST = 12
"""Fields that one message may name."""
LONGEST = 80
"""Characters of a message that names fields and nothing else."""
_NAME = r"(?:#|no\.?|nr\.?)?\s*(?:(?P<letters>[a-z]{1,2})\s?)?(?P<number>[1-9]\d?)(?:\ufe0f?\u20e3)?"
_BEGINS = re.compile(rf"{_NAME}(?=\s|,\s|[.)!:]?\s*\Z)[.)!:]*\s*", re.IGNORECASE)
_WHOLE = re.compile(_NAME, re.IGNORECASE)
_BETWEEN = re.compile(r"\s*(?:[,;+&、，]|\band\b)\s*|\s+", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Field:
    """As it was named."""

    number: int
    """From 1: of the field, or of its row where there is a ``column``."""
    column: int | None = None
    """From 0."""

    def index(self, columns: int) -> int | None:
        """Which picture it is, from 0, on a sheet with so many columns; ``None``: no such column."""
        if self.column is None:
            return self.number - 1
        return (self.number - 1) * columns + self.column if self.column < columns else None

    @property
    def said(self) -> str:
        return str(self.number) if self.column is None else f"{letters_of(self.column)}{self.number}"


def numbered(index: int) -> Field:
    """The field of picture ``index``, from 0."""
    return Field(number=index + 1)


def letters_of(column: int) -> str:
    """``A`` for 0, ``AA`` behind ``Z``."""
    letters = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


def fields(text: str) -> tuple[Field, ...]:
    """Those that a message names, each once, where it says nothing else: ``2``, ``#2``, ``2, 4``, ``b3``, 2️⃣; else
    none."""
    if len(text) > LONGEST:
        return ()
    said = folded(clean(text)).strip().rstrip(".)!").strip()
    if (alone := _read(said)) is not None:
        return (alone,)
    found = [_read(word) for word in _BETWEEN.split(said)]
    if not found or len(found) > MOST or None in found:
        return ()
    return tuple(dict.fromkeys(one for one in found if one is not None))


def leading(text: str) -> tuple[Field | None, str]:
    """The field at the beginning of what stands behind a command, and the rest: ``2 --steps 30``."""
    match = _BEGINS.match(text)
    if match is None or (match["letters"] or "").lower() == "x":
        return None, text  # `x2` is how many times as large
    return _field(match), text[match.end() :]


def _read(word: str) -> Field | None:
    match = _WHOLE.fullmatch(word.strip())
    return None if match is None else _field(match)


def _field(match: re.Match[str]) -> Field:
    letters = (match["letters"] or "").upper()
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return Field(number=int(match["number"]), column=column - 1 if letters else None)
