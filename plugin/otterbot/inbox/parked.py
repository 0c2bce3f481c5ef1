"""Events that cannot be read yet, within limits that are fair between rooms and people.

Anybody can send any number of undecryptable events. Beyond the limit, the sender with the most waiting events loses
one, so that nobody can push out others' messages.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..matrix.sync_answer import Raw

PER_SENDER = 100
"""Limit of events per person and room."""
PER_ROOM = 500
IN_ALL = 5_000


@dataclass(eq=False, kw_only=True)
class Waiting:
    """One event without its room key."""

    room: str
    sender: str
    session: str
    raw: Raw
    since: float = field(default_factory=time.monotonic)
    told: bool = False
    """The room has been told about it, or must not be."""

    @property
    def place(self) -> tuple[str, str, str]:
        return self.room, self.sender, self.session


class Parked:
    """One per plugin instance, in memory: after a restart backfill finds unread events again."""

    def __init__(self) -> None:
        self._lists: dict[tuple[str, str], list[Waiting]] = {}
        """(Room, sender) → events in order of arrival. No list is empty."""
        self._rooms: Counter[str] = Counter()
        self._senders: Counter[str] = Counter()
        self.strangers = 0
        """Events that were not parked because their senders may not use the bot."""
        self.pushed_out = 0
        """Events that were dropped because of the limit."""

    @property
    def count(self) -> int:
        """How many wait."""
        return self._rooms.total()

    def add(self, new: Waiting) -> Waiting | None:
        """Park an event. Returns the one dropped for it, which may be the new one."""
        self._lists.setdefault((new.room, new.sender), []).append(new)
        self._rooms[new.room] += 1
        self._senders[new.sender] += 1
        loser = self._loser(new)
        if loser is not None:
            self.pushed_out += 1
            self._remove(loser)
        return loser

    def _loser(self, new: Waiting) -> Waiting | None:
        own = self._lists[new.room, new.sender]
        if len(own) > PER_SENDER:
            return new
        if self._rooms[new.room] > PER_ROOM:
            lists = (parked for (room, _), parked in self._lists.items() if room == new.room)
            longest = max(lists, key=len)
            return new if len(own) >= len(longest) else longest[-1]
        if self._senders.total() > IN_ALL:
            sender, most = self._senders.most_common(1)[0]
            if self._senders[new.sender] >= most:
                return new
            return max((parked for (_, of), parked in self._lists.items() if of == sender), key=len)[-1]
        return None

    def _remove(self, gone: Waiting) -> None:
        parked = self._lists[gone.room, gone.sender]
        parked.remove(gone)
        if not parked:
            del self._lists[gone.room, gone.sender]
        for counter, name in ((self._rooms, gone.room), (self._senders, gone.sender)):
            counter[name] -= 1
            if not counter[name]:
                del counter[name]

    def has(self, room: str, sender: str, session: str) -> bool:
        """Whether an event waits for that key."""
        return any(one.session == session for one in self._lists.get((room, sender), ()))

    def take(self, room: str, sender: str, session: str) -> list[Waiting]:
        """Remove and return all events waiting for that key, oldest first."""
        taken = [one for one in self._lists.get((room, sender), ()) if one.session == session]
        for one in taken:
            self._remove(one)
        return taken

    def of(self, room: str) -> Iterator[Waiting]:
        """Events waiting in a room, person by person."""
        for (place, _), parked in list(self._lists.items()):
            if place == room:
                yield from parked

    def forget(self, room: str, event_id: str) -> Waiting | None:
        """Somebody has deleted the event."""
        gone = next((one for one in self.of(room) if one.raw.get("event_id") == event_id), None)
        if gone is not None:
            self._remove(gone)
        return gone

    def __len__(self) -> int:
        return self._senders.total()
