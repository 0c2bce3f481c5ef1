"""About how many tokens of a text encoder a text has. Only the encoder knows, and it lives in another process."""

from __future__ import annotations

import re

_PIECES = re.compile(r"(?P<word>[A-Za-z]+)|[!-~]|(?P<other>[^\x00-\x7f]+)")
LETTERS = 7
"""Of a word that is one token; longer ones are often two."""


def tokens(text: str) -> int:
    """A word is one, or one for each ``LETTERS`` of a long one; each digit and sign is one; outside of ASCII each
    character is two, as CLIP was made for English."""
    count = 0
    for piece in _PIECES.finditer(text):
        if piece["word"]:
            count += -(-len(piece["word"]) // LETTERS)
        elif piece["other"]:
            count += 2 * len(piece["other"])
        else:
            count += 1
    return count
