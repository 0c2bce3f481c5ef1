"""Rooms in which nothing can be sent for now: the bot is muted or was put out, or the room was closed by an upgrade.

Only the list of them, which whoever sends or decides can read and add to. What is found out about them, and what
follows, is the subject of :mod:`.room_watch`. Nothing of it is stored: after a start the first refusal finds it out
again.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from ..matrix.room_state import Place
from .entries import Entry


@dataclass(eq=False)
class BlockedRoom:
    room: str
    since: float = field(default_factory=time.monotonic)
    place: Place | None = None
    """``None``: not known yet."""
    news: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Left:
    """We are not in that room any more."""

    room: str


class BlockedRooms:
    """One per outbox."""

    def __init__(self) -> None:
        self._rooms: dict[str, BlockedRoom] = {}
        self.new: asyncio.Queue[BlockedRoom | Left] = asyncio.Queue()
        """What nobody has looked into yet."""

    def blocks(self, entry: Entry) -> bool:
        """Must it wait? Whether it stands in the room already can be looked for all the same."""
        return entry.part.room_id in self._rooms and not entry.lookup

    def place(self, room: str) -> Place | None:
        """How we stand in a room that is blocked."""
        blocked = self._rooms.get(room)
        return None if blocked is None else blocked.place

    def doubt(self, room: str) -> None:
        """It may be that we cannot speak there, or that the room goes on elsewhere: the room is asked."""
        if room in self._rooms:
            self._rooms[room].news.set()
            return
        blocked = self._rooms[room] = BlockedRoom(room)
        self.new.put_nowait(blocked)

    def left(self, room: str) -> None:
        """We are not in it any more. It is asked why if something waits for it, and else left alone."""
        self.new.put_nowait(Left(room))

    def changed(self, room: str | None = None) -> None:
        """Something has changed in that room, or (``None``) in rooms that others wait for."""
        for blocked in self._rooms.values():
            if room in (None, blocked.room):
                blocked.news.set()

    def release(self, room: str) -> None:
        """It is blocked no longer."""
        self._rooms.pop(room, None)
