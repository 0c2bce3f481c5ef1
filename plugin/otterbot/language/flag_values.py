"""What stands behind a flag into fields of :class:`DrawOptions`, held to their bounds."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from . import dashes
from .options import (
    COUNT,
    GUIDANCE,
    LARGER,
    MAX_NAME,
    MAX_SEED,
    SIDE,
    STEERING,
    STEPS,
    STRENGTH,
    UPSCALERS,
    Control,
    Hires,
    UsageProblem,
    Variation,
    is_kind,
    is_shape,
)

SAME = "same"
RANDOM = "random"

_ENDS = r"(?:[,;，；、،؛]|[.!?。．！？]{1,3}(?!\S)|(?!\S))"
"""Behind a value that ends: a space, or the punctuation of a sentence."""
SIZE = re.compile(rf"(\d{{1,9}})\s{{0,3}}[xX×✕*хХｘＸ＊]\s{{0,3}}(\d{{1,9}})(?:px)?{_ENDS}")
RATIO = re.compile(rf"(\d{{1,3}})\s?[:/xX×：／ｘＸ]\s?(\d{{1,3}}){_ENDS}")
_TRAILING = ",;.!?，；、。．！？،؛"
_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)")


NUMBERS = ("steps", "cfg", "size", "ar", "seed", "variation", "count", "strength", "hires")
"""Flags whose values look like nothing else, as numbers do."""


def unquoted(flag: str, word: str) -> str:
    """A value as it is meant, without the punctuation of the sentence behind it; numbers in plain characters."""
    value = word.rstrip(_TRAILING) or word
    if flag not in NUMBERS:
        return value
    value = unicodedata.normalize("NFKC", value)
    return "-" + value[1:] if value[:1] and re.match(f"[{dashes.ANY}]", value) else value


class Refused(Exception):
    """What was typed cannot be used, for the reason in ``problem``."""

    def __init__(self, code: Any, flag: str, near: tuple[str, ...] = ()) -> None:
        super().__init__(code)
        self.problem = UsageProblem(code=code, flag=flag, near=near)


def _whole(flag: str, value: str, least: int, most: int) -> int:
    if not _INTEGER.fullmatch(value):
        raise Refused("bad_value", flag)
    # int() refuses thousands of digits, and everything of more than ten is out of bounds here.
    number = int(value) if len(value) <= 20 else (-1 if value.startswith("-") else most + 1)
    if not least <= number <= most:
        raise Refused("too_large" if number > most else "bad_value", flag)
    return number


def _steps(flag: str, value: str) -> dict[str, Any]:
    return {"steps": _whole(flag, value, *STEPS)}


def _count(flag: str, value: str) -> dict[str, Any]:
    return {"count": _whole(flag, value, *COUNT)}


def _cfg(flag: str, value: str) -> dict[str, Any]:
    if not _NUMBER.fullmatch(value):
        raise Refused("bad_value", flag)
    number = float(value.replace(",", ".")) if len(value) <= 20 else GUIDANCE[1] + 1
    if not GUIDANCE[0] <= number <= GUIDANCE[1]:
        raise Refused("too_large" if number > GUIDANCE[1] else "bad_value", flag)
    return {"guidance_scale": number + 0.0}  # no "-0.0"


def _strength(flag: str, value: str) -> dict[str, Any]:
    return {"strength": _share(flag, value)}


def _share(flag: str, value: str) -> float:
    """Above 0, up to 1."""
    if not _NUMBER.fullmatch(value):
        raise Refused("bad_value", flag)
    number = float(value.replace(",", ".")) if len(value) <= 20 else STRENGTH + 1
    if not 0 < number <= STRENGTH:
        raise Refused("too_large" if number > STRENGTH else "bad_value", flag)
    return number


def _variation(flag: str, value: str) -> dict[str, Any]:
    seed, colon, strength = value.rpartition(":")
    other = _whole(flag, seed, 0, MAX_SEED) if colon else None
    return {"variation": Variation(seed=other, strength=_share(flag, strength))}


def _control(flag: str, value: str) -> dict[str, Any]:
    kind, colon, amount = value.rpartition(":")
    kind, scale = (kind.strip(), None) if colon else (value, None)
    if colon:
        if not _NUMBER.fullmatch(amount):
            raise Refused("bad_value", flag)
        scale = float(amount.replace(",", ".")) if len(amount) <= 20 else STEERING + 1
        if not 0 <= scale <= STEERING:
            raise Refused("too_large" if scale > STEERING else "bad_value", flag)
    if not is_kind(kind):
        raise Refused("bad_value" if kind else "no_value", flag)
    return {"control": Control(kind=kind, scale=None if scale is None else scale + 0.0)}


def _hires(flag: str, value: str) -> dict[str, Any]:
    """``2``, ``2x``, ``1.5:0.4``, ``2:lanczos``, ``2:0.4:lanczos``."""
    times, *rest = [part.strip().lower() for part in value.split(":")]
    times = times.strip("x×*")
    if not _NUMBER.fullmatch(times) or len(rest) > 2:
        raise Refused("bad_value", flag)
    scale = float(times.replace(",", ".")) if len(times) <= 20 else LARGER[1] + 1
    if not LARGER[0] <= scale <= LARGER[1]:
        raise Refused("too_large" if scale > LARGER[1] else "bad_value", flag)
    upscaler = rest.pop() if rest and rest[-1] in UPSCALERS else None
    if len(rest) > 1:
        raise Refused("bad_value", flag)
    return {"hires": Hires(scale=scale, strength=_share(flag, rest[0]) if rest else None, upscaler=upscaler)}


def _size(flag: str, value: str) -> dict[str, Any]:
    sides = (value, value) if _INTEGER.fullmatch(value) else None
    if (match := SIZE.fullmatch(value)) is not None:
        sides = (match[1], match[2])
    if sides is None:
        raise Refused("bad_value", flag)
    return {"width": _whole(flag, sides[0], *SIDE), "height": _whole(flag, sides[1], *SIDE)}


def _ratio(flag: str, value: str) -> dict[str, Any]:
    match = RATIO.fullmatch(value)
    shape = value.lower() if match is None else f"{int(match[1])}:{int(match[2])}"
    if not is_shape(shape):
        raise Refused("bad_value", flag)
    return {"aspect": shape}


def _seed(flag: str, value: str) -> dict[str, Any]:
    word = value.lower()
    if word in (SAME, RANDOM):
        return {"seed": word}
    if word == "-1":  # what other programs of the field call random
        return {"seed": RANDOM}
    return {"seed": _whole(flag, value, 0, MAX_SEED)}


def _name(flag: str, value: str) -> dict[str, Any]:
    if not value:
        raise Refused("no_value", flag)
    if len(value) > MAX_NAME or not value.isprintable():
        raise Refused("bad_value", flag)
    return {flag: value}


READERS = {
    "steps": _steps,
    "count": _count,
    "cfg": _cfg,
    "strength": _strength,
    "size": _size,
    "ar": _ratio,
    "seed": _seed,
    "variation": _variation,
    "control": _control,
    "hires": _hires,
    "model": _name,
    "sampler": _name,
}
"""For each flag with a value of its own; ``no`` takes any words."""
