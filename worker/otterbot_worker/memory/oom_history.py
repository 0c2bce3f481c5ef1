"""What was learned of memory: a plan that ran out of it although it should have fitted. Free of torch.

A lesson compares by what was estimated, not by pixels: a picture with LoRAs or a ControlNet needs more than a plain
one of its size, and what it teaches must not bar the plain one. It is forgotten after a while, because what failed
may have been an accident: something else took the memory in that moment, or what took it is gone for good.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

TOLERANCE = 1.1
"""How much more memory there has to be before what failed is tried again."""
LESSONS_MAX = 32
KEPT_SECONDS = 7 * 24 * 3600.0
"""One failed try a week is a small price; a plan that is barred for no reason any more makes every picture slower."""


@dataclass(frozen=True, kw_only=True)
class OutOfMemory:
    """A plan that ran out of memory: estimated to take ``card`` bytes, with so many ``available``."""

    plan: str
    card: int
    available: int
    learned: float = field(default_factory=time.time, compare=False)
    """Unix time."""

    def holds(self, plan: str, card: int, available: int) -> bool:
        """It fails again where it needs as much or more, and there is no more memory."""
        return self.plan == plan and self.card <= card and available <= self.available * TOLERANCE

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def lessons_from(stored: Iterable[Any]) -> tuple[OutOfMemory, ...]:
    """As they were stored; what cannot be read (as those that counted pixels) is forgotten."""
    read = []
    for one in stored:
        try:
            lesson = OutOfMemory(
                plan=str(one["plan"]),
                card=int(one["card"]),
                available=int(one["available"]),
                learned=float(one["learned"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        read.append(lesson)
    return tuple(read)


def learn(
    known: Sequence[OutOfMemory], new: Iterable[OutOfMemory], *, now: float | None = None
) -> tuple[OutOfMemory, ...]:
    """The newest ones, each once, without those that are too old (or from a clock that was wrong)."""
    now = time.time() if now is None else now
    newest: dict[OutOfMemory, OutOfMemory] = {}
    for lesson in [*known, *new]:
        if abs(now - lesson.learned) < KEPT_SECONDS and lesson.learned >= newest.get(lesson, lesson).learned:
            newest.pop(lesson, None)
            newest[lesson] = lesson
    return tuple(newest.values())[-LESSONS_MAX:]
