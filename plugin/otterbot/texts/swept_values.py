"""Which values of a sweep a refusal is about: the worker names the fields, people typed values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from .escape import code

_NAME = re.compile(r"([A-Z]{0,2})(\d{1,3})")
_CALLED = {"guidance_scale": "cfg", "clip_skip": "clip-skip"}
MOST = 4


def swept_values(sweep: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> dict[str, list[str]]:
    """The values that ``fields`` (``B3``, ``2``) have and no other field has, by the axis's name as it is typed; of
    both axes where neither says it alone. ``sweep``: of a request's body. Empty where nobody can say."""
    places = {place for name in fields if (place := _place(name)) is not None}
    sizes = [len(axis["values"]) for axis in sweep] + [1] * (2 - len(sweep))
    if not places or any(x >= sizes[0] or y >= sizes[1] for x, y in places):
        return {}
    chosen = [sorted({place[way] for place in places}) for way in (0, 1)]
    full = [list(range(size)) for size in sizes]
    for way, axis in enumerate(sweep):
        whole = [chosen[0], full[1]] if way == 0 else [full[0], chosen[1]]
        if len(chosen[way]) < sizes[way] and set(product(*whole)) == places:
            return {called(axis): _written(axis, chosen[way])}
    return {called(axis): _written(axis, chosen[way]) for way, axis in enumerate(sweep)}


def named_values(values: Mapping[str, Sequence[str]]) -> str:
    """``cfg 40, 50``, as code."""
    said = []
    for name, typed in values.items():
        more = f" and {len(typed) - MOST} more" if len(typed) > MOST else ""
        said.append(code(f"{name} {', '.join(typed[:MOST])}{more}", 120))
    return " with ".join(said)


def _place(name: str) -> tuple[int, int] | None:
    """Column and row, from 0; of a field without letters its number."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    if not found[1]:
        return int(found[2]) - 1, 0
    column = 0
    for letter in found[1]:
        column = 26 * column + ord(letter) - ord("A") + 1
    return column - 1, int(found[2]) - 1


def called(axis: Mapping[str, Any]) -> str:
    field = str(axis.get("field", ""))
    return _CALLED.get(field, field)


def _written(axis: Mapping[str, Any], places: Sequence[int]) -> list[str]:
    return [written(axis["values"][place]) for place in places]


def written(value: Any) -> str:
    """As a person types it."""
    if isinstance(value, list) and len(value) == 2 and all(isinstance(side, int) for side in value):
        return f"{value[0]}x{value[1]}"
    if isinstance(value, list):
        return "+".join(str(one.get("name", "")) if isinstance(one, Mapping) else str(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
