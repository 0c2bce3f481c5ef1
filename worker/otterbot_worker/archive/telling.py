"""What was found in a file as plain values for a page: the line, the settings in rows, notes, the request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from . import showing
from .found import LABELS, Found

MOST_VALUE = 4_000
"""Characters of one value."""
_NUMBERS = ("model", "steps", "guidance_scale", "width", "height", "sampler", "seed")
"""Fields that hold nobody's words."""


def everything(found: Found) -> dict[str, Any]:
    """``line``, ``rows`` (pairs of a name and a value), ``notes`` and ``request``: all there is, made printable."""
    rows = [*_settings(found.request), *found.details]
    return {
        "source": found.source,
        "line": showing.command(found.request),
        "rows": [[showing.one_line(name), _cut(value)] for name, value in rows if value],
        "notes": [showing.one_line(note) for note in (*found.notes, *showing.differences(found.request))],
        "request": dict(found.request),
    }


def without_words(found: Found, why: str) -> dict[str, Any]:
    """The same without anything that somebody wrote; ``why``: a note for people."""
    plain = {name: found.request[name] for name in _NUMBERS if name in found.request}
    rows = [[name, _cut(value)] for name, value in _settings(plain) if value]
    return {"source": found.source, "line": None, "rows": rows, "notes": [why], "request": None}


def _settings(request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """By the names for people, in their order."""
    if "width" in request and "height" in request:
        yield "size", f"{request['width']} × {request['height']}"
    for name, label in LABELS.items():
        if name in request and label != "size":
            yield label, _said(request[name])


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(one)}" for name, one in value.items() if one is not None)
    if isinstance(value, (list, tuple)):
        return "; ".join(_said(one) for one in value)
    return str(value)


def _cut(value: str) -> str:
    return showing.printable(value)[:MOST_VALUE]
