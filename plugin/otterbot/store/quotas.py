"""How many pictures, or answers, somebody may ask for within a day, and how soon again. Pure.

A day is the 24 hours before now: it needs no time zone, which people of one room do not share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

from .rows import Part, Request

DAY = 86_400.0
Scope = Literal["person", "person_here", "room", "instance"]


@dataclass(frozen=True, kw_only=True)
class Quota:
    """One limit, on all requests of a kind by that person or of that room (``None``: of everybody, of all rooms)."""

    scope: Scope
    kind: str
    sender: str | None = None
    room: str | None = None
    """With the rooms that it replaces."""
    per_day: int | None = None
    cooldown: float | None = None
    """Seconds from one request to the next."""


@dataclass(frozen=True, kw_only=True)
class Over:
    """A request is too much."""

    quota: Quota
    asks: int
    left: int
    """How many may be asked for now."""
    wait: float | None
    """Seconds until all of it may be asked for; ``None``: never, it is more than a day's."""


@dataclass(frozen=True, kw_only=True)
class Follow:
    """A request that is accepted when another one ends, if it is within its quotas."""

    request: Request
    parts: Sequence[Part] = ()
    """Stored with it."""
    quotas: Sequence[Quota] = ()
    instead: Sequence[Part] = ()
    """Stored where it is too much."""


def asks(request: Request) -> int:
    """How many pictures (answers, descriptions) it asks for."""
    return pictures_of(request.body or {}) if request.kind == "image" else 1


def pictures_of(body: Mapping[str, Any]) -> int:
    """How many pictures a request for pictures asks for, with those that follow from it: they are accepted with it."""
    axes, then = body.get("sweep") or (), body.get("then")
    own = prod((int(body.get("count") or 1), *(len(axis["values"]) for axis in axes)))
    return own if then is None else own + pictures_of(then.get("body") or {})


def over(quota: Quota, used: Sequence[tuple[float, int]], number: int, now: float) -> Over | None:
    """Whether ``number`` more are too much. ``used``: when how many were asked for, in any order; what came to nothing
    is not among them."""
    counted = sorted((at, many) for at, many in used if many > 0)
    waits: list[float] = []
    left = number
    if quota.cooldown and counted and (wait := counted[-1][0] + quota.cooldown - now) > 0:
        waits.append(min(wait, quota.cooldown))  # a clock may have been set
        left = 0
    if quota.per_day is not None:
        today = [(at, many) for at, many in counted if at > now - DAY]
        free = quota.per_day - sum(many for _, many in today)
        if number > quota.per_day:
            return Over(quota=quota, asks=number, left=max(0, min(free, left)), wait=None)
        if number > free:
            left = max(0, min(free, left))
            for at, many in today:
                free += many
                if free >= number:
                    waits.append(min(at + DAY - now, DAY))
                    break
    return Over(quota=quota, asks=number, left=left, wait=max(waits)) if waits else None
