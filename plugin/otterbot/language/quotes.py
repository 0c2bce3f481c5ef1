"""Quotation marks, as keyboards and word processors put them."""

from __future__ import annotations

import re
from collections.abc import Iterator

QUOTES = {
    '"': '"', "'": "'", "“": "“”", "„": "“”", "‘": "‘’", "«": "»", "»": "«", "「": "」", "『": "』", "＂": "＂",
}  # fmt: skip
"""What opens, and all that closes then."""


def unquoted(text: str) -> str:
    """``text`` without the quotes around all of it."""
    closing = QUOTES.get(text[:1], "")
    inside = text[1:-1]
    whole = len(text) > 1 and text[-1] in closing and not any(one in closing for one in inside)
    return inside.strip() if whole else text


def split(text: str, separators: str) -> Iterator[str]:
    """The pieces between ``separators`` that stand outside quotes, without the space around them. A quote that nothing
    closes is a letter, and so is one inside a word."""
    start = at = 0
    while at < len(text):
        one = text[at]
        opens = one in QUOTES and (at == 0 or text[at - 1].isspace() or text[at - 1] in separators)
        if opens and (closing := re.compile(f"[{QUOTES[one]}]").search(text, at + 1)) is not None:
            at = closing.end()
            continue
        if one in separators:
            yield text[start:at].strip()
            start = at + 1
        at += 1
    yield text[start:].strip()
