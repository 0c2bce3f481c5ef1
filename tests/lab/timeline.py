"""What stands in a room, read from the homeserver and not from what some client happened to see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from nio import Event, MegolmEvent
from nio.exceptions import EncryptionError

from .client import User, _event
from .events import Ev


@dataclass(frozen=True)
class Picture:
    """One picture that stands in a room."""

    event: Ev
    key: str
    part: str
    seed: int


async def timeline(user: User, room: str) -> list[Ev]:
    """Every event of the room that is not redacted, oldest first, decrypted with this user's keys."""
    found: list[dict[str, Any]] = []
    start = ""
    while True:
        path = f"/_matrix/client/v3/rooms/{quote(room)}/messages?dir=b&limit=500" + (f"&from={start}" if start else "")
        page = await user.api("GET", path)
        found += page["chunk"]
        if "end" not in page:
            break
        start = page["end"]
    events = [_decrypted(user, room, wire) for wire in reversed(found)]
    return [event for event in events if not event.redacted]


def _decrypted(user: User, room: str, wire: dict[str, Any]) -> Ev:
    if wire["type"] == "m.room.encrypted":
        parsed = Event.parse_encrypted_event(wire)
        if isinstance(parsed, MegolmEvent):
            try:
                return _event(room, wire, user.nio.olm.decrypt_megolm_event(parsed, room).source)
            except EncryptionError:
                pass  # sent before this user came, or its key is on the way: it stays as it is
    return _event(room, wire, wire)


async def pictures_in(user: User, room: str, bot: str) -> list[Picture]:
    """The pictures that ``bot`` has posted in the room, oldest first; duplicates are what this is for."""
    return [
        Picture(event, event.own.get("key", ""), event.own.get("part", ""), event.record["used"]["seed"])
        for event in await timeline(user, room)
        if event.sender == bot and event.msgtype == "m.image" and not event.edits
    ]
