"""Texts of other people's making, as a terminal and a log can show them.

A control character moves the cursor or colours the screen; a direction character turns the words around it, so that a
line reads otherwise than it is; half of a surrogate pair, of which a file's name may be made, cannot be written at all.
"""

from __future__ import annotations

import contextlib
import sys
import unicodedata

DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What turns the direction of a text. What else cannot be seen, as the joiners within emoji, changes no order."""


def hidden(character: str) -> bool:
    """Whether it acts on what is around it instead of being seen."""
    return character in DIRECTIONS or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def visible(text: str) -> str:
    """Each hidden character as its number, ``\\u202e``; the end of a line as well."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(c) if hidden(c) else c for c in text)


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def never_fail() -> None:
    """What this terminal cannot write is written as its number."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
