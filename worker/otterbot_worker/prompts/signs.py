r"""Signs of weight, ``++`` and ``--``, as keyboards type them, and where they end.

============================ ======================================================================================
``+`` ``++`` ``＋＋``        ×1.1 for each
``--`` ``−−`` ``‑‑`` ``－－`` ×0.9 for each hyphen or minus sign of any kind
``—`` ``–`` ``―``            a long dash is two of them: phones make it of ``--``. ``—-`` is three
============================ ======================================================================================

They end before everything but a letter, a digit or another sign: before spaces and punctuation of any script, brackets,
quotes, emoji. Behind a closing bracket one is enough, and of pluses also behind a word (``hat+``); of minuses there are
two behind a word, or a long dash, which is named then since it may be prose. A single one (``hat-``) is a hyphen, and
is named. What stands between two words (``salt—pepper``, ``semi-dry``), behind a single letter (``C++``)
or behind a number (``1990–``) is no sign.
"""

from __future__ import annotations

import re

_PLUS = "+＋﹢"
_SHORT = "‐‑−－﹣⁻-"
_LONG = "‒–—―⸺⸻﹘"
_DASH = _LONG + _SHORT  # the hyphen last, as it stands in a character class
_ENDS = rf"(?![\w{_PLUS}{_DASH}])"

_PLUSES = rf"[{_PLUS}]{{2,}}+|(?<=[^\W_])[{_PLUS}](?!\.?\d)"
"""A single one is a sign behind a letter or a digit, and none in a number."""

BEHIND_BRACKET = rf"[{_PLUS}]++{_ENDS}|[{_DASH}]++{_ENDS}"
BEHIND_WORD = re.compile(rf"(?<![{_PLUS}{_DASH}])(?:{_PLUSES}|[{_DASH}]{{2,}}+|[{_LONG}]){_ENDS}")
WORD_BREAK = re.compile(r"[\s,;\"，、。；：！？؛،؟।॥…]")
"""Where the word begins that signs are for."""

_QUOTES = "\"”’'»」』"
"""What ends a quotation: signs behind one would be for all of it."""

_UNTAKEN = re.compile(
    rf"(?<!\\)\)(?:[{_PLUS}]{{2,}}+|[{_DASH}]{{2,}}+|[{_LONG}])[\w{_PLUS}{_DASH}]"
    rf"|(?<!\\)\)(?:[{_PLUS}]++[{_DASH}]|[{_DASH}]++[{_PLUS}])"
    rf"|\w\w[{_PLUS}]{{2,}}+\w"
    rf"|(?:[{_QUOTES}\]](?:[{_PLUS}]++|[{_DASH}]{{2,}}+)|\][{_DASH}]++){_ENDS}"
    rf"|[^\W\d_]{{2}}[{_SHORT}](?=[\s,]|\Z)"
)


def factor(signs: str) -> float:
    count = min(sum(2 if one in _LONG else 1 for one in signs), 16)
    return float((1.1 if signs[0] in _PLUS else 0.9) ** count)


def belongs_to(word: str, signs: str) -> bool:
    """Are the signs for the word? Not in ``C++``, nor a dash alone or behind a year, nor behind a quotation."""
    if not word or (len(word) == 1 and word.isascii()) or word[-1] in _QUOTES:
        return False
    return not (word.isdecimal() and (signs.strip("+-") or len(signs) == 1))


def may_be_prose(signs: str) -> bool:
    """Behind a word, a dash of a sentence."""
    return len(signs) == 1 and signs not in _PLUS


def some_are_untaken(prompt: str) -> bool:
    """Do signs look like weights and are none: before a letter, behind a quote or a square bracket?"""
    return _UNTAKEN.search(prompt) is not None
