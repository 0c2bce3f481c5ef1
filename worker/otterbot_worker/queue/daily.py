"""How many pictures, or answers, a client may ask for within 24 hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

DAY = 86_400.0
"""The 24 hours before now, not a date: clients may live in any time zone."""

Things = Literal["pictures", "answers"]


@dataclass(eq=False, kw_only=True)
class DailyLimit(Exception):
    """A job is too much for its client's day."""

    things: Things
    limit: int
    asks: int
    left: int
    """How many it may ask for now."""
    wait: float | None
    """Seconds until it may ask for all of them; ``None``: never, they are more than a day's."""


def check(things: Things, limit: int, used: Sequence[tuple[float, int]], asks: int, now: float) -> None:
    """``used``: when how many were accepted within the last ``DAY``, the oldest first.

    :raises DailyLimit:
    """
    left = limit - sum(many for _, many in used)
    if asks <= left:
        return
    wait = None
    if asks <= limit:
        free = left
        for at, many in used:
            free += many
            if free >= asks:
                wait = min(max(at + DAY - now, 0.0), DAY)  # a clock may have been set
                break
    raise DailyLimit(things=things, limit=limit, asks=asks, left=max(0, left), wait=wait)
