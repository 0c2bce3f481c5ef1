"""What values of the configuration may be. Each check returns the value in the form that the
plugin works with, or raises ``ValueError`` with what was expected, to follow "should be".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from .language.reaction import OFFERED, read_offer

Check = Callable[[Any], Any]


def optional(check: Check) -> Check:
    """``None`` (nothing after the colon) is fine too."""

    def checked(value: Any) -> Any:
        return None if value is None else check(value)

    return checked


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("text (put it in quotes)")
    return value


def secret(value: Any) -> str:
    """A token that nobody guesses, as it can stand in an HTTP header."""
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]{16,200}", value):
        raise ValueError("a long random word of 16 to 200 letters, digits and signs without spaces, in quotes")
    return value


def word(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 255:
        raise ValueError("a name, or nothing")
    return value.strip()


def names(value: Any) -> tuple[str, ...]:
    """Of styles: one, several with commas between them, a list; nothing is none."""
    listed = value.split(",") if isinstance(value, str) else [] if value is None else value
    if not isinstance(listed, list) or len(listed) > 8 or not all(isinstance(one, str) for one in listed):
        raise ValueError('names with commas between them, at most eight, such as "watercolor, backlit"')
    found = tuple(one.strip() for one in listed if one.strip())
    if any(len(one) > 100 or not one.isprintable() for one in found):
        raise ValueError("names of at most 100 characters each")
    return found


def local_path(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("the path of a file, or nothing")
    return value.strip()


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def auto_or_off(value: Any) -> str:
    """``off`` without quotes is false to some readers of YAML, and ``on`` true."""
    word = {True: "auto", False: "off"}[value] if isinstance(value, bool) else value
    if not isinstance(word, str) or word.strip().lower() not in ("auto", "off"):
        raise ValueError("auto or off")
    return word.strip().lower()


BATCHES = ("auto", "sheet", "separate")


def batch(value: Any) -> str:
    if not isinstance(value, str) or value.strip().lower() not in BATCHES:
        raise ValueError("auto, sheet or separate")
    return value.strip().lower()


def offer(value: Any) -> tuple[str, ...]:
    """The reactions that the bot puts under its pictures, as they are sent."""
    known = " ".join(OFFERED.values())
    if value is None or value is False or (isinstance(value, str) and value.strip().lower() in ("", "off")):
        return ()
    words = value if isinstance(value, list) else [value]
    try:
        return read_offer("".join(words))
    except (ValueError, TypeError):
        raise ValueError(f'some of {known}, as in "🔁 🎲", or off') from None


def room(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"![^\s:]+(:\S+)?", value.strip()) or len(value) > 255:
        raise ValueError('the internal id of a room, such as "!abc:example.org", or nothing')
    return value.strip()


def natural(least: int, most: int) -> Check:
    def checked(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return value

    return checked


def power_level(value: Any) -> int:
    # Matrix's own bounds: canonical JSON has integers up to 2^53 - 1.
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**53:
        raise ValueError("a power level, a whole number such as 50")
    return value


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def seconds(least: float, most: float) -> Check:
    def checked(value: Any) -> float:
        number = _number(value)
        if number is None or not least <= number <= most:
            raise ValueError(f"a number from {least:g} to {most:g}")
        return number

    return checked


def at_most(most: float) -> Check:
    return seconds(0, most)


def size(value: Any) -> tuple[int, int]:
    match = re.fullmatch(r"\s*([0-9]{1,5})\s*[x×X*]\s*([0-9]{1,5})\s*", value) if isinstance(value, str) else None
    if match is None or not all(16 <= int(side) <= 4096 for side in match.groups()):
        raise ValueError('a size such as "768x768", each side from 16 to 4096')
    return int(match[1]), int(match[2])


def prefix(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 32 or "\n" in value:
        raise ValueError('the one or more characters that commands begin with, such as "!"')
    return value.strip()


_PATTERN = re.compile(r"-?@[^\s:@{}]+:(?:\{homeserver\}|[^\s@{}])+")


def allowed_patterns(value: Any) -> tuple[str, ...]:
    usual = 'a list of users or patterns such as "@*:example.org", or "-@telegram_*:example.org" for who is left out'
    if not isinstance(value, list):
        raise ValueError(f"{usual} ([] means nobody)")
    for entry in value:
        if not isinstance(entry, str) or not _PATTERN.fullmatch(entry):
            raise ValueError(f"{usual} ([] means nobody); {str(entry)[:100]!r} is none")
    if value and all(entry.startswith("-") for entry in value):
        raise ValueError(f'{usual}; one that only leaves people out lets nobody in: put "@*:{{homeserver}}" before it')
    return tuple(value)


def ignored_patterns(value: Any) -> tuple[str, ...]:
    usual = ValueError('a list of users or patterns such as "@spam_*:example.org" ([] means nobody)')
    if not isinstance(value, list):
        raise usual
    if not all(isinstance(one, str) and _PATTERN.fullmatch(one) and not one.startswith("-") for one in value):
        raise usual
    return tuple(value)


def web_address(value: Any) -> str:
    problem = ValueError('an address such as "http://192.168.1.20:8585"')
    if not isinstance(value, str):
        raise problem
    try:
        parts = urlsplit(value.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        raise problem from None
    if not usable or parts.query or parts.fragment or parts.username:
        raise problem
    return value.strip().rstrip("/")
