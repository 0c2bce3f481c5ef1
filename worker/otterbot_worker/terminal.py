"""Foreign texts, made safe for a terminal or a log.

Control characters move the cursor or colour the screen. Direction characters reorder the text around them, so that a
line reads differently. Lone surrogates, which file names can contain, cannot be written at all.
"""

from __future__ import annotations

import contextlib
import os
import sys
import unicodedata

DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the direction of a text. Other invisible ones, such as the joiners in emoji, do not."""


def hidden(character: str) -> bool:
    """Whether a character is invisible and affects the text around it."""
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
    """Make stdout and stderr write unencodable characters as numbers instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def forget_unwritten() -> None:
    """Drop what stdout and stderr cannot write, as on a full disk: Python would try it again when it ends, and end with
    code 120. For a server, whose work is not what it writes there."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
