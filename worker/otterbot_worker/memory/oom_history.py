"""The OOM history of a model: which placements ran out of memory although they should have fitted. Free of torch.

Entries compare by the bytes that were estimated, not by pixels: a picture with LoRAs or a ControlNet needs more than a
plain one of its size, and its failure must not bar the plain one. They expire, because a failure may have been an
accident: another program took the memory in that moment, or what took it is gone for good.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

TOLERANCE = 1.1
"""A placement that failed is tried again with more free memory than before, times this."""
MAX_ENTRIES = 32
"""Entries kept per model."""
KEPT_SECONDS = 7 * 24 * 3600.0
"""How long an entry bars a placement. One failed try a week costs little; a placement that is barred without reason
makes every picture slower."""


@dataclass(frozen=True, kw_only=True)
class OutOfMemory:
    """A placement that ran out of memory: ``card`` bytes were estimated, ``available`` bytes were free."""

    plan: str
    card: int
    available: int
    learned: float = field(default_factory=time.time, compare=False)
    """Unix time."""

    def bars(self, plan: str, card: int, available: int) -> bool:
        """Whether this placement would fail again: it needs as much or more, and no more memory is free."""
        return self.plan == plan and self.card <= card and available <= self.available * TOLERANCE


def read(stored: Iterable[Any]) -> tuple[OutOfMemory, ...]:
    """The entries of JSON that was stored. Unreadable ones (as of older workers, which counted pixels) are dropped."""
    found = []
    for one in stored:
        try:
            entry = OutOfMemory(
                plan=str(one["plan"]),
                card=int(one["card"]),
                available=int(one["available"]),
                learned=float(one["learned"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        found.append(entry)
    return tuple(found)


def merged(
    known: Sequence[OutOfMemory], new: Iterable[OutOfMemory], *, now: float | None = None
) -> tuple[OutOfMemory, ...]:
    """The newest entries, each once, without expired ones and those of a clock that was wrong."""
    now = time.time() if now is None else now
    newest: dict[OutOfMemory, OutOfMemory] = {}
    for entry in [*known, *new]:
        if abs(now - entry.learned) < KEPT_SECONDS and entry.learned >= newest.get(entry, entry).learned:
            newest.pop(entry, None)
            newest[entry] = entry
    return tuple(newest.values())[-MAX_ENTRIES:]
