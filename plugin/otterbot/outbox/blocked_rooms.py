"""Rooms in which nothing can be sent for now: the bot is muted or not a member, or the room was upgraded.

Only the list; :mod:`.room_watch` examines the rooms and acts. Not stored: after a start the first refusal blocks a room
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
    """The bot's place in the room; ``None``: not known yet."""
    news: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Left:
    """The bot is not in that room any more."""

    room: str


class BlockedRooms:
    """One per outbox."""

    def __init__(self) -> None:
        self._rooms: dict[str, BlockedRoom] = {}
        self.new: asyncio.Queue[BlockedRoom | Left] = asyncio.Queue()
        """Rooms that are not examined yet."""

    def blocks(self, entry: Entry) -> bool:
        """Whether the entry has to wait. An entry that is only being looked for need not."""
        return entry.part.room_id in self._rooms and not entry.lookup

    def place(self, room: str) -> Place | None:
        """The bot's place in a blocked room."""
        blocked = self._rooms.get(room)
        return None if blocked is None else blocked.place

    def doubt(self, room: str) -> None:
        """Sending to the room failed: block it until it is examined."""
        if room in self._rooms:
            self._rooms[room].news.set()
            return
        blocked = self._rooms[room] = BlockedRoom(room)
        self.new.put_nowait(blocked)

    def left(self, room: str) -> None:
        """The bot left the room: examine it if something waits for it."""
        self.new.put_nowait(Left(room))

    def changed(self, room: str | None = None) -> None:
        """Something changed in that room, or (``None``) in rooms that blocked ones depend on."""
        for blocked in self._rooms.values():
            if room in (None, blocked.room):
                blocked.news.set()

    def release(self, room: str) -> None:
        """Unblock a room."""
        self._rooms.pop(room, None)
