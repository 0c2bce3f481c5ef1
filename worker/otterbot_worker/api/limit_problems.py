"""Sentences for clients that ask for more than they may."""

from __future__ import annotations

import math

from ..queue.daily import DailyLimit
from ..queue.submission import QueueFull
from ..requests.refusal import problem
from .auth import Client
from .problems import ApiProblem


def queue_full(full: QueueFull, client: Client) -> ApiProblem:
    who = "One person" if client.kind == "bot" else "One token"
    if full.never:
        detail = f"{who} may have {full.limit} pictures waiting, and this asks for more at once."
        return ApiProblem(
            422, "invalid_request", detail, fields=[problem("count", "too_many", detail, most=full.limit)]
        )
    if full.of_owner:
        detail = f"{who} may have {full.limit} pictures and chats waiting; please wait for some of them."
        return ApiProblem(429, "owner_queue_full", detail, headers={"Retry-After": "30"})
    detail = f"The queue is full with {full.limit} pictures and chats; please try again later."
    return ApiProblem(429, "queue_full", detail, headers={"Retry-After": "60"})


def daily(over: DailyLimit) -> ApiProblem:
    detail = f"This token may ask for {_many(over.limit, over)} in 24 hours"
    if over.wait is None:
        detail = f"{detail}, and this asks for {over.asks} at once."
        field = "count" if over.things == "pictures" else "request"
        return ApiProblem(422, "invalid_request", detail, fields=[problem(field, "too_many", detail, most=over.limit)])
    left = f"{over.left} of them {'is' if over.left == 1 else 'are'} left now. " if over.left else ""
    again = f"All {over.asks} are possible" if over.asks > 1 else f"The next {over.things[:-1]} is possible"
    detail = f"{detail}. {left}{again} in {_in(over.wait)}."
    return ApiProblem(429, "daily_limit", detail, headers={"Retry-After": str(max(1, math.ceil(over.wait)))})


def _many(number: int, over: DailyLimit) -> str:
    return f"{number} {over.things if number != 1 else over.things[:-1]}"


def _in(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 20 min``: never shorter than it is."""
    if seconds < 90:
        return f"{max(1, math.ceil(seconds))} s"
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
