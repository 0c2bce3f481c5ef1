"""Reads numbers from untrusted JSON. JSON knows whole numbers of any length, and Python's parser ``NaN`` and
``Infinity`` besides: converting or dividing one of those raises, or poisons every comparison after it."""

from __future__ import annotations

import json
import math
from typing import Any

EXACT = 2**53
"""Matrix allows no larger integers in events, and floats are exact only below."""

LONGEST = 400
"""Digits up to which a whole number is read as one."""


def number(value: Any) -> float | None:
    """A finite number as a float; ``None`` for anything else, truth values included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        converted = float(value)
    except OverflowError:
        return None
    return converted if math.isfinite(converted) else None


def whole(value: Any) -> int | None:
    """A whole number of which a float still knows every digit; ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or not -EXACT < value < EXACT:
        return None
    return value


def parse(data: bytes | str) -> Any:
    """JSON, whatever numbers stand in it. Raises ``ValueError`` where it is none, or nested too deeply."""
    try:
        return json.loads(data, parse_int=_integer)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _integer(digits: str) -> int | float:
    """Python refuses integers of thousands of digits, which would make the whole document unreadable."""
    return int(digits) if len(digits) <= LONGEST else float(digits)
