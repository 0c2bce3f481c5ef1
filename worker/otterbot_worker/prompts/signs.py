r"""Signs of weight, ``++`` and ``--``, as keyboards type them, and where they end.

============================ ======================================================================================
``++`` ``＋＋``              ×1.1 for each
``--`` ``−−`` ``‑‑`` ``－－`` ×0.9 for each hyphen or minus sign of any kind
``—`` ``–`` ``―``            a long dash is two of them: phones make it of ``--``. ``—-`` is three
============================ ======================================================================================

They end before everything but a letter, a digit or another sign: before spaces and punctuation of any script, brackets,
quotes, emoji. Behind a closing bracket one is enough; behind a word there are two, or a long dash, which is named then
since it may be prose. What stands between two words (``salt—pepper``, ``semi-dry``), behind a single letter (``C++``)
or behind a number (``1990–``) is no sign.
"""

from __future__ import annotations

import re

_PLUS = "+＋﹢"
_SHORT = "‐‑−－﹣⁻-"
_LONG = "‒–—―⸺⸻﹘"
_DASH = _LONG + _SHORT  # the hyphen last, as it stands in a character class
_ENDS = rf"(?![\w{_PLUS}{_DASH}])"

BEHIND_BRACKET = rf"[{_PLUS}]++{_ENDS}|[{_DASH}]++{_ENDS}"
BEHIND_WORD = re.compile(rf"(?<![{_PLUS}{_DASH}])(?:[{_PLUS}]{{2,}}+|[{_DASH}]{{2,}}+|[{_LONG}]){_ENDS}")
WORD_BREAK = re.compile(r"[\s,;\"，、。；：！？؛،؟।॥…]")
"""Where the word begins that signs are for."""

_UNTAKEN = re.compile(
    rf"(?<!\\)\)(?:[{_PLUS}]{{2,}}+|[{_DASH}]{{2,}}+|[{_LONG}])[\w{_PLUS}{_DASH}]"
    rf"|(?<!\\)\)(?:[{_PLUS}]++[{_DASH}]|[{_DASH}]++[{_PLUS}])"
    rf"|\w\w[{_PLUS}]{{2,}}+\w"
    rf"|(?:[\"\]](?:[{_PLUS}]{{2,}}+|[{_DASH}]{{2,}}+)|\][{_LONG}]){_ENDS}"
)


def factor(signs: str) -> float:
    count = min(sum(2 if one in _LONG else 1 for one in signs), 16)
    return float((1.1 if signs[0] in _PLUS else 0.9) ** count)


def belongs_to(word: str, signs: str) -> bool:
    """Are the signs for the word? Not in ``C++``, nor a dash alone or behind a year."""
    if not word or (len(word) == 1 and word.isascii()):
        return False
    return not (word.isdecimal() and signs.strip("+-"))


def may_be_prose(signs: str) -> bool:
    """Behind a word, a dash of a sentence."""
    return len(signs) == 1


def some_are_untaken(prompt: str) -> bool:
    """Do signs look like weights and are none: before a letter, behind a quote or a square bracket?"""
    return _UNTAKEN.search(prompt) is not None
