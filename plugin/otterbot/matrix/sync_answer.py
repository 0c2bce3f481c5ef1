"""What a sync answer holds, and what membership events say. Read without trusting it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from .. import numeric

Raw = Mapping[str, Any]
"""An event of the client-server API, with its ``room_id``."""
TIMELINE = frozenset({"m.room.message", "m.room.encrypted", "m.room.redaction", "m.reaction"})
LEFT = ("leave", "ban")
"""Memberships of those who are not in a room any more."""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _events(section: Any) -> Iterator[dict[str, Any]]:
    events = _mapping(section).get("events")
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict):
            yield event


class SyncAnswer:
    """A ``/sync`` answer, read without trusting it."""

    def __init__(self, data: Any) -> None:
        rooms = _mapping(_mapping(data).get("rooms"))
        self._joined = _mapping(rooms.get("join"))
        self._invited = _mapping(rooms.get("invite"))
        self._left = _mapping(rooms.get("leave"))
        self._to_device = _mapping(data).get("to_device")

    def to_device(self) -> Iterator[Raw]:
        """What was sent to this device alone, as it came (room keys are still encrypted)."""
        return _events(self._to_device)

    def rooms(self) -> list[str]:
        return list(self._joined)

    def left(self) -> list[str]:
        """Rooms that we are not in any more, or whose invitation is gone."""
        return list(self._left)

    def limited(self, room: str) -> bool:
        """Events between the last answer and this one are missing."""
        return bool(_mapping(_mapping(self._joined.get(room)).get("timeline")).get("limited"))

    def state(self, room: str) -> Iterator[Raw]:
        """State events of that room, in order, wherever in the answer they stand."""
        found = _mapping(self._joined.get(room) or self._left.get(room))
        for section in ("state", "timeline"):
            for event in _events(found.get(section)):
                if "state_key" in event:
                    yield event

    def before(self, room: str) -> Iterator[Raw]:
        """State of that room before its timeline."""
        yield from _events(_mapping(self._joined.get(room)).get("state"))

    def timeline(self, room: str) -> list[Raw]:
        """What was said and done there, in order. Copies: mautrix writes into the originals."""
        events = _events(_mapping(self._joined.get(room)).get("timeline"))
        return [{**copy.deepcopy(event), "room_id": room} for event in events]

    def invites(self, user: str) -> Iterator[tuple[str, str]]:
        """Rooms to which ``user`` is invited, and by whom."""
        for room, invited in self._invited.items():
            for event in _events(_mapping(invited).get("invite_state")):
                sender = event.get("sender")
                if membership_of(event, user) == "invite" and isinstance(sender, str):
                    yield room, sender


def membership_of(event: Raw, user: str) -> str | None:
    """The membership that a state event gives to ``user``."""
    if event.get("type") != "m.room.member" or event.get("state_key") != user:
        return None
    membership = _mapping(event.get("content")).get("membership")
    return membership if isinstance(membership, str) else None


def before(event: Raw) -> str | None:
    """The membership that a membership event replaces; ``None`` where it does not say."""
    old = _mapping(_mapping(event.get("unsigned")).get("prev_content")) or _mapping(event.get("prev_content"))
    membership = old.get("membership")
    return membership if isinstance(membership, str) else None


def joins(event: Raw, user: str) -> bool:
    """``user`` comes into the room with it (and did not only change a name)."""
    return membership_of(event, user) == "join" and before(event) != "join"


def seconds(event: Raw) -> float:
    """``origin_server_ts`` as Unix time; 0 if there is none."""
    return (numeric.whole(event.get("origin_server_ts")) or 0) / 1000
