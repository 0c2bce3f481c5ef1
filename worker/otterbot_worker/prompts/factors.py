r"""The weights themselves: numbers as A1111 and compel write them, and signs; what is one, and what only looks like it.

========================== ========================================================================
``(x:1.3)`` ``(x:-.5)``    A1111's ``:\s*([+-]?[.\d]+)\s*\)``
``(x)1.3``  ``(x)++``      compel's, behind the bracket
``(4:3)`` ``(12:30:45)``   a ratio or a time of day, as is every whole number behind digits alone: text
``(at 12:30)``             the same, as nobody means a weight of 30; ``(in 2024:2)`` is a weight
``(:3)``                   a face
``(x:1,3)`` ``（x:1.3）``  no weight; :func:`some_are_odd` finds them, so that they are named
========================== ========================================================================
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from . import signs

WEIGHT_MAX = 2.0
"""Beyond it pictures fall apart; compel itself clamps nothing."""
_WINDOW = 32
"""How much of a text's end is looked at: programs write a fraction with up to 17 digits."""
_INSIDE = re.compile(r"[:：]\s{0,4}([+-]?(?:\d+(?:\.\d*)?|\.\d+))\s{0,4}$")
_BEHIND = re.compile(rf"(?:(\d{{1,3}}(?:\.\d{{1,20}})?|\.\d{{1,20}})(?![\w,.%:]\w|\w)|({signs.BEHIND_BRACKET}))")
_ODD = re.compile(r"[:：]\s{0,4}[+-]?(?:\d{1,3}[,٫]\d{1,6}\s{0,4}\)|\d{1,3}(?:[.．,]\d{1,6})?\s{0,4}）)")
_RATIO = re.compile(r"(?:^|[\s,])(?:\d+\s{0,4}:\s{0,4}\d+|\d{1,2}:\d\d:\d\d)\s{0,4}$")


class Written(NamedTuple):
    """``length``: how many characters it takes. ``factor`` may be below 0."""

    length: int
    factor: float
    mark: Literal["number", "signs"]


def inside(text: str, *, alone: bool) -> Written | None:
    """The number at the end of ``text``, which stands before a closing bracket, and ``alone`` in the pair."""
    end = text[-_WINDOW:]
    found = _INSIDE.search(end)
    if found is None or (alone and end.strip() == ":3"):
        return None
    factor = float(found[1])
    ratio = _RATIO.search(end)
    if ratio and (factor > WEIGHT_MAX or not text[: -len(ratio[0])].strip()):
        return None
    return Written(len(found[0]), factor, "number")


def behind(prompt: str, position: int) -> Written | None:
    """The number or the signs directly behind a closing bracket, which ends at ``position``."""
    found = _BEHIND.match(prompt, position)
    if found is None:
        return None
    length = found.end() - position
    return Written(length, float(found[1]), "number") if found[1] else Written(length, signs.factor(found[2]), "signs")


def some_are_odd(prompt: str) -> bool:
    """Does a number stand like a weight and is none: with a comma in it, or in full-width brackets?"""
    return _ODD.search(prompt) is not None
