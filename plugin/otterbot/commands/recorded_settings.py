"""Settings out of a picture's record: input from a room, never truth."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .. import numeric
from ..language.options import (
    COUNT,
    FACTORS,
    GUIDANCE,
    LARGER,
    MAX_NAME,
    MAX_PROMPT,
    MAX_SEED,
    SIDE,
    STEERING,
    STEPS,
    STRENGTH,
    UPSCALERS,
    Control,
    DrawOptions,
    Hires,
    Variation,
    is_kind,
    is_shape,
)

_DECIMAL = re.compile(r"[0-9]{1,3}\.[0-9]{1,40}|[0-9](?:\.[0-9]{1,20})?e-[0-9]{1,2}", re.ASCII)
"""Nothing that can be typed is longer. Older pictures have small numbers with an exponent, ``5e-05``."""


def read_settings(data: Any) -> DrawOptions | None:
    """The settings in ``asked`` or ``used``, each held to the bounds of a typed flag.

    ``None`` if ``data`` is not a mapping or holds anything that nobody could have typed: a record
    that lies about one thing is not believed about the others. Unknown fields are ignored.
    """
    if not isinstance(data, Mapping):
        return None
    taken: dict[str, Any] = {}
    for name, check in _CHECKS.items():
        value = data.get(name)
        if value is None:
            continue
        if not check(value):
            return None
        taken[name] = float(_fraction(value)) if name in ("guidance_scale", "strength") else value
    if "variation" in taken:
        strength = float(_fraction(taken["variation"]["strength"]))
        taken["variation"] = Variation(seed=taken["variation"]["seed"], strength=strength)
    if "control" in taken:
        scale = taken["control"].get("scale")
        taken["control"] = Control(
            kind=taken["control"]["kind"], scale=None if scale is None else float(_fraction(scale))
        )
    if "hires" in taken:
        strength = taken["hires"].get("strength")
        taken["hires"] = Hires(
            scale=float(_fraction(taken["hires"]["scale"])),
            strength=None if strength is None else float(_fraction(strength)),
            upscaler=taken["hires"].get("upscaler"),
            steps=taken["hires"].get("steps"),
        )
    if ("width" in taken) != ("height" in taken):
        return None
    return DrawOptions(**taken)


def _whole(least: int, most: int) -> Any:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _fraction(value: Any) -> Any:
    """Events hold fractions as text (see ``contents.canonical``)."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return float(value)
    return value


def _guidance(value: Any) -> bool:
    known = numeric.number(_fraction(value))
    return known is not None and GUIDANCE[0] <= known <= GUIDANCE[1]


def _strength(value: Any) -> bool:
    known = numeric.number(_fraction(value))
    return known is not None and 0 < known <= STRENGTH


def _variation(value: Any) -> bool:
    known = isinstance(value, Mapping) and _whole(0, MAX_SEED)(value.get("seed"))
    return known and _strength(value.get("strength"))


def _control(value: Any) -> bool:
    if not isinstance(value, Mapping) or not isinstance(value.get("kind"), str) or not is_kind(value["kind"]):
        return False
    scale = numeric.number(_fraction(value.get("scale", 1)))
    return scale is not None and 0 <= scale <= STEERING


def _hires(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    scale, strength, upscaler, steps = (value.get(name) for name in ("scale", "strength", "upscaler", "steps"))
    times = numeric.number(_fraction(scale))
    number = times is not None and LARGER[0] <= times <= LARGER[1]
    known = upscaler is None or (isinstance(upscaler, str) and upscaler in UPSCALERS)
    return number and known and (strength is None or _strength(strength)) and (steps is None or _whole(*STEPS)(steps))


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_PROMPT and _sound(value)


def _name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable()


def _sound(text: str) -> bool:
    """No half surrogates: they cannot be encoded on the way to the worker."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_CHECKS: dict[str, Any] = {
    "prompt": _text,
    "negative_prompt": _text,
    "steps": _whole(*STEPS),
    "guidance_scale": _guidance,
    "width": _whole(*SIDE),
    "height": _whole(*SIDE),
    "aspect": lambda value: isinstance(value, str) and is_shape(value),
    "seed": _whole(0, MAX_SEED),
    "model": _name,
    "sampler": _name,
    "count": _whole(*COUNT),
    "strength": _strength,
    "variation": _variation,
    "control": _control,
    "hires": _hires,
    "upscale": lambda value: isinstance(value, int) and not isinstance(value, bool) and value in FACTORS,
}
