"""Which lane is where: names that stay when a machine leaves its cluster and joins it again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .wire import Node

PREFIX = "ray:"
NAME_MAX = 40
_SIGNS = frozenset(".-_:")


@dataclass(frozen=True, kw_only=True)
class Place:
    name: str
    """``ray:NODE``, and ``ray:NODE-2`` for its second lane."""
    node: Node
    number: int
    """Which lane of the machine it is, from 0."""


def places(nodes: Sequence[Node], *, here: bool, most: int) -> list[Place]:
    """The lanes of a cluster. ``here``: those of the worker's own machine too; ``most``: no more than that.

    Two machines of one name are told apart in the order of Ray's ids for them.
    """
    found: list[Place] = []
    counts: dict[str, int] = {}
    for node in sorted(nodes, key=lambda node: (node.name, node.id)):
        if node.here and not here:
            continue
        name = PREFIX + _shown(node.name)
        for number in range(node.lanes):
            counts[name] = counts.get(name, 0) + 1
            shown = name if counts[name] == 1 else f"{name}-{counts[name]}"
            found.append(Place(name=shown, node=node, number=number))
    return found[:most]


def _shown(name: str) -> str:
    """Names come from other machines, and go into commands and rooms."""
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in _SIGNS) else "-" for sign in name)[:NAME_MAX]
