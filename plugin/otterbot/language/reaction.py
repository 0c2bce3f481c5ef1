"""A reaction as the commands see it: an emoji on a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import numeric
from .choice import choice
from .message import event_id_in

_UNSEEN = dict.fromkeys((0xFE0E, 0xFE0F, *range(0x1F3FB, 0x1F400)))
"""What says how an emoji is drawn: variation selectors, in which clients differ, and the tones of skin."""
_SAME = {"🔄": "🔁"}
_KEYCAP = "\u20e3"
NUMBERS = frozenset(f"{number}{_KEYCAP}" for number in range(1, 10))
LONGEST = 16
"""Characters of a reaction; longer ones are no emoji that anything follows from."""

OFFERED = {plain: shown for shown in ("🔁", "🎲", "⬆\ufe0f", "⭐", "❌") for plain in (shown.rstrip("\ufe0f"),)}
"""What may be offered under a picture, as :func:`plain` has it, and as clients' own pickers send it."""


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """One ``m.reaction``."""

    room_id: str
    event_id: str
    sender: str
    target: str
    """The event that it is on."""
    emoji: str
    """As :func:`plain` has it."""
    timestamp: int
    """``origin_server_ts``, milliseconds."""

    @property
    def number(self) -> int | None:
        """The number that it shows, from 1 to 9."""
        return int(self.emoji[0]) if self.emoji in NUMBERS else None


def plain(emoji: str) -> str:
    """The one form of what people take for the same emoji; a number is a keycap, however it was written."""
    number = choice(emoji)
    if number is not None:
        return f"{number}{_KEYCAP}"
    bare = emoji.translate(_UNSEEN)
    return _SAME.get(bare, bare)


def as_sent(emoji: str) -> str:
    """What :func:`plain` has made one form of, as clients' own pickers send it, and show it in colour."""
    return f"{emoji[0]}\ufe0f{_KEYCAP}" if emoji in NUMBERS else OFFERED.get(emoji, emoji)


def read_offer(typed: str) -> tuple[str, ...]:
    """``🔁 🎲``, with or without spaces: what is to be offered, as it is sent. Raises :class:`ValueError` with what is
    none of it."""
    found: list[str] = []
    rest = plain("".join(typed.split()))
    while rest:
        emoji = _SAME.get(rest[0], rest[0])
        if emoji not in OFFERED:
            raise ValueError(rest[0])
        found.append(OFFERED[emoji])
        rest = rest[1:]
    return tuple(dict.fromkeys(found))


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
        emoji=plain(emoji),
        timestamp=int(numeric.number(event.get("origin_server_ts")) or 0),
    )
