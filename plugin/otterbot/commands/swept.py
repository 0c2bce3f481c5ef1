"""The sweep of a request, as the worker takes it. Which fields there are, and what each is called, the worker says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from .. import texts
from ..language.flags import check_sweep
from ..language.option_kinds import NeverTyped, Words
from ..language.option_table import SWEEP
from ..language.option_values import MAX_SEED, Axis
from ..language.options import DrawOptions
from ..language.problems import Refused
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
        "sheet": _sheet(wanted, None if "seed" in named else seed),
    }
    if "variation" in named and wanted.variation is None:
        body["variation"] = {"seed": other, "strength": next(a for a in axes if a.option == "variation").values[0]}
    return body


def _worded(axis: Axis, sent: dict[str, Any], around: Circumstances) -> dict[str, Any]:
    """With the words of the room's own styles, which the worker does not know."""
    if axis.option != "style":
        return sent
    return {**sent, "values": [[style.sent() for style in worded(one, around.styles)] for one in axis.values]}


@dataclass(frozen=True, kw_only=True)
class Swept:
    """A sweep as the message with its sheet tells it."""

    axes: tuple[Axis, ...]
    prompt: str | None = None
    """The words before any axis changed them; ``None``: none does."""


def read_swept(told: Any) -> Swept | None:
    """Each value held to the bounds of a typed one; ``None``: no sweep, or none that anybody could have typed."""
    if not isinstance(told, Mapping):
        return None
    try:
        prompt = told.get("prompt")
        return Swept(axes=SWEEP.recorded(told.get("axes")), prompt=None if prompt is None else Words().recorded(prompt))
    except NeverTyped:
        return None


def swept_anew(typed: DrawOptions, swept: Swept, *, new_seed: int, prefix: str) -> DrawOptions:
    """``typed``, with the sweep of a sheet: of a new seed, where none is said. Swept seeds are other ones then.

    Raises :class:`Unusable` where a flag says one value of what is swept.
    """
    anew = typed.seed is None
    axes = tuple(_other_seeds(axis, new_seed) if anew and axis.option == "seed" else axis for axis in swept.axes)
    prompt = swept.prompt if typed.prompt is None and not typed.changes else typed.prompt
    typed = replace(typed, sweep=axes, prompt=prompt)
    try:
        check_sweep(typed)
    except Refused as refusal:
        raise Unusable(texts.usage_problem(refusal.problem, prefix)) from None
    return replace(typed, seed="random") if anew else typed


def _other_seeds(axis: Axis, first: int) -> Axis:
    return replace(axis, values=tuple((first + number) % (MAX_SEED + 1) for number in range(len(axis.values))))


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


def _sheet(wanted: DrawOptions, seed: int | None) -> dict[str, Any] | None:
    """``None``: it was said that the pictures are to come one by one."""
    return None if wanted.sheet is False else {"caption": _caption(wanted.prompt or "", seed)}


def _caption(prompt: str, seed: int | None) -> str:
    """``seed``: where it is the same in all fields."""
    words = " ".join(prompt.split())
    words = words if len(words) <= MAX_CAPTION else f"{words[: MAX_CAPTION - 1]}…"
    return " · ".join(part for part in (words, "" if seed is None else f"seed {seed}") if part)
