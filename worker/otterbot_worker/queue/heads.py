"""What the schedule looks at: what waits, and who was served how much."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .model import RowKind

HALF_LIFE = 600.0
"""Seconds after which what somebody had counts half."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Queued rows of one owner that are alike."""

    client: str
    owner: str
    kind: RowKind
    model: str
    count: int
    work: float
    first_seq: int


@dataclass(frozen=True, kw_only=True)
class Head:
    """The first queued row of a group: what the schedule chooses from."""

    seq: int
    client: str
    owner: str
    kind: RowKind
    model: str
    work: float
    """Megapixel-steps; 0 but for pictures."""
    card: str = ""
    """The name of the card that is to draw it if it can; empty: any."""
    created_at: float
    """Unix time."""
    count: int = 1
    """Queued rows that are alike (owner, kind, model, card), this one included."""
    overtaken_seconds: float = 0.0
    """Of work for others that came before it out of their turn."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """What an owner had of the worker."""

    at: float
    """When the last row was claimed, Unix time; always later than everybody else's before it."""
    seconds: float = 0.0
    """Of work, as expected when it was claimed; what is longer ago counts less. As of ``at``."""

    def recent(self, now: float) -> float:
        """``seconds`` as they count at ``now``."""
        return self.seconds * math.exp2(-max(0.0, now - self.at) / HALF_LIFE)


NEVER = Service(at=float("-inf"))
