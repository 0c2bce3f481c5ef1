"""Sentences of `queue` and `cancel`."""

from __future__ import annotations

from collections.abc import Sequence

from .escape import person, plain
from .jobs import count_of
from .usage import command

QUEUE_EMPTY = "Nothing is waiting in this room."
WAITS_FOR_WORKER = "💤 Waits for the worker."
NOTHING_TO_CANCEL = "You have nothing waiting in this room."
NOTHING_AT_ALL_TO_CANCEL = "Nothing is waiting in this room."
NOT_A_REQUEST = "That message is not a request that is still waiting."
OVER_ALREADY = "That is finished already. To remove a picture, delete its message."


def queue_line(place: int, sender: str, what: str, where: str) -> str:
    """One request of this room; ``what`` is its prompt or empty for chat, ``where`` its place or phase."""
    said = f"“{plain(what, 60)}”" if what else "a chat answer"
    return f"{place}. {person(sender)}: {said}. {where}"


def queue(lines: Sequence[str], more: int, elsewhere: int, pause: str | None) -> str:
    said = "\n".join(lines) if lines else QUEUE_EMPTY
    if more:
        said += f"\n\nAnd {more} more here."
    if elsewhere:
        said += f"\n\nOther rooms: {count_of(elsewhere, 'request', 'requests')}."
    return f"{said}\n\n{pause}" if pause else said


def cancelled(number: int) -> str:
    return f"🛑 Cancelled: {count_of(number, 'request', 'requests')}."


def may_not_cancel(level: int) -> str:
    return (
        f"That is somebody else's request. Only they, and people with power level {level} or more in this room "
        "(moderators), may cancel it."
    )


def may_not_cancel_all(level: int, prefix: str) -> str:
    return (
        f"Only people with power level {level} or more in this room (moderators) may cancel everybody's. "
        f"{command(prefix, 'cancel')} takes back your own."
    )
