"""Calls of tools as they stream: whole, or in pieces of JSON. What is none in the end is left out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .reading import number
from .records import CallPiece, ToolCall

MOST = 8
"""Calls of one answer that are looked at."""
LONGEST = 20_000
"""Characters of the arguments of one."""


class Calls:
    """Collects those of one answer."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._arguments: dict[int, str] = {}

    def add(self, pieces: Iterable[CallPiece]) -> None:
        for piece in pieces:
            if piece.index not in self._arguments and len(self._arguments) >= MOST:
                continue
            self._names[piece.index] = self._names.get(piece.index) or piece.name
            told = self._arguments.get(piece.index, "") + piece.arguments
            self._arguments[piece.index] = told[: LONGEST + 1]

    def whole(self) -> tuple[ToolCall, ...]:
        """Those whose arguments are a JSON object."""
        found = []
        for index, told in self._arguments.items():
            arguments = _object(told) if len(told) <= LONGEST else None
            if arguments is not None and self._names[index]:
                found.append(ToolCall(name=self._names[index], arguments=arguments))
        return tuple(found)


def _object(told: str) -> dict[str, Any] | None:
    try:
        found = json.loads(told or "{}")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def pieces(listed: object, *, first: int = 0) -> tuple[CallPiece, ...]:
    """From ``tool_calls`` of a message or a delta. ``first``: the number of the first one where none is said."""
    found = []
    for place, one in enumerate(listed[:MOST] if isinstance(listed, list) else []):
        function = one.get("function") if isinstance(one, Mapping) else None
        if not isinstance(function, Mapping):
            continue
        name, told = function.get("name"), function.get("arguments")
        index = one.get("index", function.get("index"))
        found.append(
            CallPiece(
                index=number(index) if isinstance(index, int) else first + place,
                name=name if isinstance(name, str) else "",
                arguments=told if isinstance(told, str) else json.dumps(told) if isinstance(told, dict) else "",
            )
        )
    return tuple(found)
