"""A homeserver's answers as Dendrite, conduwuit and tuwunel give them: no event comes with what was said about it."""

from __future__ import annotations

import json
import re
from typing import Any

BRINGS_EVENTS = re.compile(r"/rooms/[^/]+/(?:messages|event/|context/|relations/|threads)|/v\d+/sync(?:\?|$)")
"""Paths whose answers hold events."""


def without_bundles(answer: bytes) -> bytes:
    """The same JSON without any ``unsigned.m.relations``; what is none stays as it is."""
    try:
        parsed = json.loads(answer)
    except ValueError:
        return answer
    _strip(parsed)
    return json.dumps(parsed, ensure_ascii=False).encode()


def _strip(value: Any) -> None:
    if isinstance(value, list):
        for one in value:
            _strip(one)
    elif isinstance(value, dict):
        unsigned = value.get("unsigned")
        if isinstance(unsigned, dict):
            unsigned.pop("m.relations", None)
        for one in value.values():
            _strip(one)
