"""Sentences about limits by day and between two requests, with the time when it is possible again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .jobs import count_of

if TYPE_CHECKING:
    from ..store.quotas import Over, Quota

_WHOSE = {
    "person": "For one person",
    "person_here": "For one person in this room",
    "room": "For this room",
    "instance": "For all rooms together",
}


def too_much(over: Over) -> str:
    """Why a request is not accepted now. Durations, since people of one room have clocks of their own."""
    quota, things = over.quota, _things(over.quota)
    if quota.per_day is None:
        return f"❌ {_again(over)} {_whose(quota)} there are {waiting(quota.cooldown or 0)} between two requests."
    limit = f"{_whose(quota)} the limit is {count_of(quota.per_day, *things)} in 24 hours"
    if over.wait is None:
        now = f" Up to {over.left} may be asked for now." if over.left else ""
        return f"❌ That would be {count_of(over.asks, *things)}. {limit}.{now}"
    if over.left:
        now = f"{over.left} of them {'is' if over.left == 1 else 'are'} left now"
        return f"❌ {limit}; {now}. All {over.asks} are possible in {waiting(over.wait)}."
    return f"❌ {_again(over)} {limit}."


def drawing_too_much() -> str:
    """Of a picture that a language model asked for."""
    return "❌ This picture is not drawn: the limit for pictures was reached meanwhile."


def quota_left(used: int, quota: Quota) -> str:
    """For `!settings per_day`."""
    left = max(0, (quota.per_day or 0) - used)
    return f"{_whose(quota)}: {count_of(quota.per_day or 0, *_things(quota))} in 24 hours; {left} left now."


def waiting(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 20 min``: never shorter than it is."""
    if seconds < 90:
        return f"{max(1, math.ceil(seconds))} s"
    minutes = math.ceil(seconds / 60)
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def _again(over: Over) -> str:
    what = "picture" if over.quota.kind == "image" else "answer"
    return f"The next {what} is possible in {waiting(over.wait or 0)}."


def _things(quota: Quota) -> tuple[str, str]:
    return ("picture", "pictures") if quota.kind == "image" else ("answer", "answers")


def _whose(quota: Quota) -> str:
    return _WHOSE[quota.scope]
