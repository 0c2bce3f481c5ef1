"""The sweep of a request, as the worker takes it. Which fields there are, and what each is called, the worker says."""

from __future__ import annotations

import re
from math import prod
from typing import Any

from .. import texts
from ..language.option_values import Axis
from ..language.options import SWEEP, DrawOptions
from ..language.style_values import worded
from ..language.sweeps import LORA
from .context import Circumstances
from .outcome import Unusable

MAX_CAPTION = 200
"""Characters of the words on a sheet; its message has all of them."""
_LORA = re.compile(r"<(?:lora|lyco):\s*([^:<>]+?)\s*(?::[^<>]*)?>", re.IGNORECASE)


def swept(wanted: DrawOptions, around: Circumstances, *, seed: int, other: int, start: str | None) -> dict[str, Any]:
    """The fields of a request's body that make a sweep of it; none where it is none. ``other``: the seed that pictures
    are varied to where nobody said one; ``start``: the event with the picture to start from.

    Raises :class:`Unusable`.
    """
    axes = wanted.sweep
    if not axes:
        return {}
    prefix, named = around.values.prefix, {axis.option for axis in axes}
    count = prod(len(axis.values) for axis in axes)
    if count > around.sweep_max:
        raise Unusable(texts.sweep_too_many(count, around.sweep_max))
    if "hires" in named and wanted.hires is None:
        raise Unusable(texts.sweep_needs_hires(prefix))
    if wanted.film:
        raise Unusable(texts.SWEEP_NO_FILM)
    if "strength" in named and start is None:
        raise Unusable(texts.strength_needs_a_picture(prefix))
    for axis in axes:
        _check_lora(axis, wanted.prompt or "")
    body: dict[str, Any] = {
        "sweep": [_worded(axis, sent, around) for axis, sent in zip(axes, SWEEP.sent(axes), strict=True)],
        "count": 1,
        "sheet": {"caption": _caption(wanted.prompt or "", None if "seed" in named else seed)},
    }
    if "variation" in named and wanted.variation is None:
        body["variation"] = {"seed": other, "strength": next(a for a in axes if a.option == "variation").values[0]}
    return body


def _worded(axis: Axis, sent: dict[str, Any], around: Circumstances) -> dict[str, Any]:
    """With the words of the room's own styles, which the worker does not know."""
    if axis.option != "style":
        return sent
    return {**sent, "values": [[style.sent() for style in worded(one, around.styles)] for one in axis.values]}


def sweeps_over(options: DrawOptions, *names: str) -> bool:
    return any(axis.option in names for axis in options.sweep or ())


def _check_lora(axis: Axis, prompt: str) -> None:
    if axis.option != LORA:
        return
    known = list(dict.fromkeys(found[1] for found in _LORA.finditer(prompt)))
    if axis.name is None and len(known) != 1:
        raise Unusable(texts.sweep_of_lora(None, known))
    if axis.name is not None and axis.name.casefold() not in (name.casefold() for name in known):
        raise Unusable(texts.sweep_of_lora(axis.name, known))


def _caption(prompt: str, seed: int | None) -> str:
    """``seed``: where it is the same in all fields."""
    words = " ".join(prompt.split())
    words = words if len(words) <= MAX_CAPTION else f"{words[: MAX_CAPTION - 1]}…"
    return " · ".join(part for part in (words, "" if seed is None else f"seed {seed}") if part)
