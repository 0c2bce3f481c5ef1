"""The order of sending: by rank, then rooms and people in turn.

Homeservers let through one message in some seconds, so a person with twenty requests would otherwise delay everybody
else for minutes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from ..clock import Clock
from .entries import Entry

MOST = 5_000
"""Limit of remembered people and rooms; forgotten ones count as not served yet."""


class Turns:
    """When each person and room was served; in memory, owned by the outbox."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._count = 0
        self._rooms: OrderedDict[str, int] = OrderedDict()
        self._people: OrderedDict[str, int] = OrderedDict()
        self._askers: OrderedDict[str, str] = OrderedDict()
        self._begun: OrderedDict[tuple[str, str], float] = OrderedDict()

    def asked_by(self, key: str, person: str) -> None:
        """Record the person for whom parts of ``key`` are sent."""
        self._askers[key] = person
        _bound(self._askers)

    def first(self, due: Iterable[Entry]) -> Entry:
        """The entry of the highest rank; among equals, of the room and person served longest ago."""
        return min(due, key=self._order)

    def served(self, entry: Entry) -> None:
        """Record that the entry had its turn, with whatever result."""
        self._count += 1
        for known, name in ((self._rooms, entry.part.room_id), (self._people, self._person(entry))):
            known[name] = self._count
            known.move_to_end(name)
            _bound(known)
        self._begun[entry.part.id] = self._clock.now()
        _bound(self._begun)

    def begun(self, key: str, name: str) -> float:
        """When the last attempt to send that part began, in the homeserver's time; it was not visible before. 0: not
        known."""
        return self._begun.get((key, name), 0.0)

    def _order(self, entry: Entry) -> tuple[int, int, int, int]:
        room, person = self._rooms.get(entry.part.room_id, 0), self._people.get(self._person(entry), 0)
        return entry.part.rank, max(room, person), person, entry.order

    def _person(self, entry: Entry) -> str:
        """The person, unknown after a start: then a room counts as one person."""
        return self._askers.get(entry.part.key, f"somebody in {entry.part.room_id}")


def _bound(known: OrderedDict[Any, Any]) -> None:
    while len(known) > MOST:
        known.popitem(last=False)
