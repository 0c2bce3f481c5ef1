"""A reaction as the commands see it: an emoji on a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import numeric
from .message import event_id_in

_UNSEEN = {0xFE0E: None, 0xFE0F: None}
"""What says how an emoji is drawn; clients differ in it."""
LONGEST = 16


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """One ``m.reaction``."""

    room_id: str
    event_id: str
    sender: str
    target: str
    """The event that it is on."""
    emoji: str
    """Without variation selectors."""
    timestamp: int
    """``origin_server_ts``, milliseconds."""


def from_raw(event: Mapping[str, Any]) -> Reaction | None:
    """The reaction in an event; ``None`` if it is none."""
    content = event.get("content")
    relates = content.get("m.relates_to") if isinstance(content, Mapping) else None
    if event.get("type") != "m.reaction" or not isinstance(relates, Mapping):
        return None
    room, sender, event_id, emoji = event.get("room_id"), event.get("sender"), event.get("event_id"), relates.get("key")
    target = event_id_in(relates.get("event_id"))
    if relates.get("rel_type") != "m.annotation" or target is None:
        return None
    if not (isinstance(room, str) and isinstance(sender, str) and isinstance(event_id, str) and isinstance(emoji, str)):
        return None
    if len(emoji) > LONGEST:
        return None
    return Reaction(
        room_id=room,
        event_id=event_id,
        sender=sender,
        target=target,
        emoji=emoji.translate(_UNSEEN),
        timestamp=int(numeric.number(event.get("origin_server_ts")) or 0),
    )
