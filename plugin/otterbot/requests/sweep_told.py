"""What the message with a sweep's sheet says of it, so that all of it can be made again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..matrix.event_content import canonical, size

LARGEST = 6_000
"""Bytes; a longer one is left out, and its fields can be made again only each by itself."""
OF_WORDS = ("words", "lora")
"""Axes that change the prompt: what it was before is no field's."""


def axes_of(body: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Those of a request's sweep, as the worker takes them."""
    axes = (body or {}).get("sweep")
    return [axis for axis in axes if isinstance(axis, Mapping)] if isinstance(axes, list) else []


def sweep_told(body: Mapping[str, Any] | None) -> dict[str, Any]:
    """``body``: of the request. Empty where it is no sweep."""
    axes = axes_of(body)
    if body is None or not axes:
        return {}
    told: dict[str, Any] = {"axes": canonical(axes)}
    if any(axis.get("field") in OF_WORDS for axis in axes):
        told["prompt"] = canonical(body.get("prompt"))
    return {"sweep": told} if size(told) <= LARGEST else {}
