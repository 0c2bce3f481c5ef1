r"""The weights themselves: numbers as A1111 and compel write them, and signs; what is one, and what only looks like it.

=========================== =========================================================================
``(x:1.3)`` ``(x:-.5)``     A1111's ``:\s*([+-]?[.\d]+)\s*\)``
``(x)1.3``  ``(x)++``       compel's, behind the bracket
``(16:9)`` ``(12:30:45)``   a ratio or the time of day, as is every whole number behind digits alone: text
``(:3)``                    a face
=========================== =========================================================================
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

_WINDOW = 32
"""How much of a text's end is looked at: programs write a fraction with up to 17 digits."""
_INSIDE = re.compile(r":\s{0,4}([+-]?(?:\d+(?:\.\d*)?|\.\d+))\s{0,4}$")
_BEHIND = re.compile(r"(?:(\d{1,3}(?:\.\d{1,20})?|\.\d{1,20})(?![\w,.%:]\w|\w)|(\++|-+)(?=[\s,.;:!?)\]]|$))")
_NO_WEIGHT = re.compile(r"\s*(?:\d+\s*:\s*\d+|\d{1,2}:\d\d:\d\d)\s*")


class Written(NamedTuple):
    """``length``: how many characters it takes. ``factor`` may be below 0."""

    length: int
    factor: float
    mark: Literal["number", "signs"]


def inside(text: str, *, alone: bool) -> Written | None:
    """The number at the end of ``text``, which stands before a closing bracket, and ``alone`` in the pair."""
    found = _INSIDE.search(text[-_WINDOW:])
    if found is None or _NO_WEIGHT.fullmatch(text) or (alone and text.strip() == ":3"):
        return None
    return Written(len(found[0]), float(found[1]), "number")


def behind(prompt: str, position: int) -> Written | None:
    """The number or the signs directly behind a closing bracket, which ends at ``position``."""
    found = _BEHIND.match(prompt, position)
    if found is None:
        return None
    length = found.end() - position
    return Written(length, float(found[1]), "number") if found[1] else Written(length, of_signs(found[2]), "signs")


def of_signs(signs: str) -> float:
    count = min(len(signs), 16)
    return float((1.1 if signs[0] == "+" else 0.9) ** count)
