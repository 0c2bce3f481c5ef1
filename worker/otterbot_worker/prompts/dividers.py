"""``BREAK`` and ``AND``: words in capitals that divide a prompt in A1111, and the weight that ``AND`` takes."""

from __future__ import annotations

import re

WORD = re.compile(r"(?<![^\s,])(?:BREAK(?![^\s,.;:])|AND(?![^\s,]))")
_PART_WEIGHT = re.compile(r"\s{0,4}:\s{0,4}[+-]?(?:\d{1,4}(?:\.\d{0,6})?|\.\d{1,6})$")


def without_weight(text: str) -> str:
    """``a cat :1.2`` as ``AND`` takes it."""
    match = _PART_WEIGHT.search(text[-24:])
    return text[: len(text) - len(match[0])] if match else text


def is_shouted(text: str, mark: re.Match[str]) -> bool:
    """``ROCK AND ROLL``: between two words in capitals it is most likely a word."""
    before, after = text[max(0, mark.start() - 64) : mark.start()].split(), text[mark.end() : mark.end() + 64].split()
    return bool(before and after) and before[-1].isupper() and after[0].isupper()
