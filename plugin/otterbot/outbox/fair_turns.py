"""Whose turn it is: what waits for the homeserver goes out the worthiest first, and rooms and people take turns.

A homeserver lets one message through in some seconds, so whoever asks twenty things at once would hold up everybody
else's answer for minutes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from ..clock import Clock
from .entries import Entry

MOST = 5_000
"""People and rooms that are remembered; whoever was forgotten counts as not served yet."""


class Turns:
    """Who was served when; owned by the outbox, forgotten with it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._count = 0
        self._rooms: OrderedDict[str, int] = OrderedDict()
        self._people: OrderedDict[str, int] = OrderedDict()
        self._askers: OrderedDict[str, str] = OrderedDict()
        self._begun: OrderedDict[tuple[str, str], float] = OrderedDict()

    def asked_by(self, key: str, person: str) -> None:
        """What belongs to ``key`` is sent for that person."""
        self._askers[key] = person
        _bound(self._askers)

    def first(self, due: Iterable[Entry]) -> Entry:
        """The worthiest; among equals that of the room and person whose last turn is the longest ago."""
        return min(due, key=self._order)

    def served(self, entry: Entry) -> None:
        """It has had its turn, however that ended."""
        self._count += 1
        for known, name in ((self._rooms, entry.part.room_id), (self._people, self._person(entry))):
            known[name] = self._count
            known.move_to_end(name)
            _bound(known)
        self._begun[entry.part.id] = self._clock.now()
        _bound(self._begun)

    def begun(self, key: str, name: str) -> float:
        """When the last attempt to send that part began, in the homeserver's time: nobody had read it before then.
        0: not known."""
        return self._begun.get((key, name), 0.0)

    def _order(self, entry: Entry) -> tuple[int, int, int, int]:
        room, person = self._rooms.get(entry.part.room_id, 0), self._people.get(self._person(entry), 0)
        return entry.part.rank, max(room, person), person, entry.order

    def _person(self, entry: Entry) -> str:
        """Unknown after a start: then everybody of a room is one."""
        return self._askers.get(entry.part.key, f"somebody in {entry.part.room_id}")


def _bound(known: OrderedDict[Any, Any]) -> None:
    while len(known) > MOST:
        known.popitem(last=False)
