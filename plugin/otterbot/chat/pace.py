"""Two bots do not talk for ever: who answers our answers faster than people read is told once, and then not answered.

How long it goes on like that is stored with each turn (``asked``), so that a restart forgets nothing. Two things count,
for one person in one room, whatever threads they use:

- **quick**: turns that came within :data:`QUICK` seconds of our finished answer to the one before. A person who types
  while an answer grows, or sends three lines at once, comes before it is finished and is not counted.
- **steady**: turns without a pause of :data:`PAUSE` seconds between our answer and the next word.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..clock import steady
from ..store.part_names import PLACEHOLDER
from ..store.rows import Kind, Part, PartState, Request

QUICK = 2.0
"""Seconds. Nobody reads an answer and types the next line in that time, many times in a row."""
IN_A_ROW = 12
"""So many quick turns are too many."""
PAUSE = 120.0
"""Seconds without a word that end a conversation without pauses."""
ON_END = 120
"""So many turns without a pause are too many, at whatever pace: nearly an hour of two slow bots."""
REST = 30.0
"""Seconds of silence after which we answer again; what comes meanwhile is not answered, and begins them anew."""
MOST = 1_000
PACE = "pace"
"""In ``asked`` of a chat's request."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How it has gone on between somebody and us, this turn included."""

    quick: int = 0
    steady: int = 1

    @property
    def inhuman(self) -> bool:
        return self.quick > IN_A_ROW or self.steady > ON_END

    def stored(self) -> list[int]:
        return [self.quick, self.steady]


def answered_at(last: Request, parts: Iterable[Part]) -> float | None:
    """When our answer stood in the room; ``None``: it does not, yet. Known of the part before it is of the request."""
    sent = [
        part.updated_at
        for part in parts
        if part.kind is Kind.MESSAGE and part.state is PartState.SENT and part.part.is_answer
        and part.part != PLACEHOLDER
    ]  # fmt: skip
    return last.done_at if last.done_at is not None else max(sent, default=None)


def next_pace(last: Request | None, answered: float | None, now: float) -> Pace:
    """The pace of a turn that comes at ``now``, after ``last``, to which our answer stood there at ``answered``: both
    by our own clock, for others' may be off by more than this is about."""
    if last is None:
        return Pace()
    before = read(last.asked.get(PACE))
    since = now - (last.created_at if answered is None else answered)
    going_on = before.steady + 1 if since < PAUSE else 1
    if answered is None or since < 0:
        return Pace(quick=before.quick, steady=going_on)
    return Pace(quick=before.quick + 1 if since < QUICK else 0, steady=going_on)


def read(stored: Any) -> Pace:
    match stored:
        case [int(quick), int(going_on)]:
            return Pace(quick=quick, steady=going_on)
    return Pace()


@dataclass
class Paces:
    """Whom we have stopped answering, and when they last spoke. One per plugin instance; kept while it runs."""

    _stopped: OrderedDict[tuple[str, str], float] = field(default_factory=OrderedDict)

    def stop(self, room: str, sender: str) -> None:
        """That was too much: nothing is answered until there has been silence for a while."""
        self._stopped[room, sender] = steady()
        if len(self._stopped) > MOST:
            self._stopped.popitem(last=False)

    def silent(self, room: str, sender: str) -> bool | None:
        """Somebody says something: is it not to be answered? ``None``: they had not been stopped."""
        last = self._stopped.pop((room, sender), None)
        if last is None:
            return None
        if steady() - last >= REST:
            return False
        self.stop(room, sender)
        return True
