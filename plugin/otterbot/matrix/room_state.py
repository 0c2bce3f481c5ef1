"""What a room's state says: from which room it came, which one replaces it, and whether we may speak in it.

Asked anew each time, and never guessed: what cannot be asked raises :class:`~..errors.AnswerLost`, what we may not see
:class:`~..errors.NotAllowed`. Whatever has the wrong form counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from ..errors import AnswerLost, MatrixRefused, NotAllowed
from .departures import Departures
from .http import MatrixHttp
from .power_levels import read_power
from .sync_answer import LEFT, seconds

OURS = ("m.reaction", "m.room.redaction")
"""What we send beside messages."""
_USUAL_LEVEL = 0
"""What it takes to send where the power levels do not say."""


class Place(Enum):
    """How we stand in a room."""

    SPEAKS = auto()
    MUTED = auto()
    """In the room, and its power levels let us send no messages."""
    OUT = auto()
    """Kicked, or left."""
    BANNED = auto()


@dataclass(frozen=True, kw_only=True)
class Tombstone:
    """Who closed the room, and where it goes on."""

    replacement: str | None
    sender: str | None
    at: float = 0.0
    """In the homeserver's time."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How we stand in a room, and what closed it."""

    place: Place
    tombstone: Tombstone | None = None
    forbidden: frozenset[str] = frozenset()
    """Types of events that we may not send although we may speak, among those that we send."""


class RoomStates:
    """Reads; keeps nothing but what the sync tells of rooms that cannot be asked. One per plugin instance."""

    def __init__(self, http: MatrixHttp, bot: str) -> None:
        self._http = http
        self._bot = bot
        self.departures = Departures(http, bot)

    async def joined(self, room: str) -> bool:
        return room in await self._http.joined_rooms()

    async def predecessor(self, room: str) -> tuple[str | None, float]:
        """The room that this one says it replaces, which proves nothing, and when this one was made (in the
        homeserver's time; 0: not known)."""
        create = await self._state(room, "m.room.create") or {}
        before = _mapping(_mapping(create.get("content")).get("predecessor")).get("room_id")
        return room_id_in(before), seconds(create)

    async def tombstone(self, room: str) -> Tombstone | None:
        event = await self._state(room, "m.room.tombstone")
        return None if event is None else tombstone_in(event)

    async def standing(self, room: str, is_encrypted: Callable[[str], Awaitable[bool]]) -> Standing:
        if not await self.joined(room):
            return Standing(place=await self._outside(room), tombstone=await self._seen_tombstone(room))
        message = "m.room.encrypted" if await is_encrypted(room) else "m.room.message"
        forbidden = await self._forbidden(room, message)
        place = Place.MUTED if message in forbidden else Place.SPEAKS
        return Standing(place=place, tombstone=await self.tombstone(room), forbidden=forbidden)

    async def _outside(self, room: str) -> Place:
        membership = await self._membership(room)
        if membership not in LEFT:
            membership = await self.departures.membership(room)
        return Place.BANNED if membership == "ban" else Place.OUT

    async def was_put_out(self, room: str) -> bool:
        """Have we been there, and are not any more?"""
        return await self._membership(room) in LEFT

    async def _membership(self, room: str) -> Any:
        """Homeservers show those who have left how the room was then; some do not, and Synapse shows nothing to those
        who are banned."""
        try:
            own = await self._state(room, "m.room.member", self._bot)
        except NotAllowed:
            return None
        return _mapping((own or {}).get("content")).get("membership")

    async def _seen_tombstone(self, room: str) -> Tombstone | None:
        try:
            return await self.tombstone(room)
        except NotAllowed:
            return None

    async def _forbidden(self, room: str, message: str) -> frozenset[str]:
        create, levels = await self._state(room, "m.room.create"), await self._state(room, "m.room.power_levels")
        content = _mapping((levels or {}).get("content"))
        own = read_power(create, content if levels is not None else None).of(self._bot)
        events, usual = _mapping(content.get("events")), _level(content.get("events_default"), _USUAL_LEVEL)
        return frozenset(kind for kind in (message, *OURS) if own < _level(events.get(kind), usual))

    async def _state(self, room: str, event_type: str, key: str = "") -> Mapping[str, Any] | None:
        """The event; ``None`` if the room has none."""
        try:
            return await self._http.state_event(room, event_type, key)
        except MatrixRefused as refusal:
            if refusal.errcode == "M_NOT_FOUND":
                return None
            if refusal.errcode == "M_FORBIDDEN":
                raise NotAllowed(refusal.status, refusal.errcode) from None
            raise AnswerLost(f"HTTP {refusal.status}", refusal.status) from None


def tombstone_in(event: Mapping[str, Any]) -> Tombstone:
    sender = event.get("sender")
    replacement = room_id_in(_mapping(event.get("content")).get("replacement_room"))
    return Tombstone(replacement=replacement, sender=sender if isinstance(sender, str) else None, at=seconds(event))


def room_id_in(value: Any) -> str | None:
    """A room's id, if it can be one."""
    return value if isinstance(value, str) and re.fullmatch(r"![\x21-\x7e]{1,254}", value) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _level(raw: Any, usual: int) -> int:
    """Old room versions allow numbers in strings."""
    if isinstance(raw, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,16}\s*", raw):
        return int(raw)
    return raw if isinstance(raw, int) and not isinstance(raw, bool) else usual
