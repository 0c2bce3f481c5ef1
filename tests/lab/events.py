"""Events of a room as a person's client shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Ev:
    """One event of a room as its reader saw it; ``content`` is the decrypted one, ``wire`` what the server holds."""

    room_id: str
    event_id: str
    sender: str
    type: str
    content: dict[str, Any]
    ts: int
    encrypted: bool
    state_key: str | None
    wire: dict[str, Any] = field(repr=False)
    seen: float = 0.0
    """``time.monotonic()`` of its arrival."""

    @property
    def body(self) -> str:
        return str(self.content.get("body", ""))

    @property
    def msgtype(self) -> str:
        return str(self.content.get("msgtype", ""))

    @property
    def relates(self) -> dict[str, Any]:
        return self.content.get("m.relates_to") or self.wire.get("content", {}).get("m.relates_to") or {}

    @property
    def edits(self) -> str | None:
        return self.relates.get("event_id") if self.relates.get("rel_type") == "m.replace" else None

    @property
    def new_content(self) -> dict[str, Any]:
        """What the message says now, whether this is the message or an edit of it."""
        return self.content.get("m.new_content") or self.content

    @property
    def replies_to(self) -> str | None:
        return (self.relates.get("m.in_reply_to") or {}).get("event_id")

    @property
    def thread(self) -> str | None:
        return self.relates.get("event_id") if self.relates.get("rel_type") == "m.thread" else None

    @property
    def reaction(self) -> str | None:
        """The emoji, if this is a reaction."""
        return self.relates.get("key") if self.relates.get("rel_type") == "m.annotation" else None

    @property
    def redacts(self) -> str | None:
        """Which event this takes back."""
        return self.content.get("redacts") or self.wire.get("redacts")

    @property
    def own(self) -> dict[str, Any]:
        """The bot's namespaced part of the content: key, part, record."""
        return self.content.get("org.otterbot") or {}

    @property
    def record(self) -> dict[str, Any]:
        return self.own.get("record") or {}

    @property
    def undecryptable(self) -> bool:
        return self.type == "m.room.encrypted"

    @property
    def redacted(self) -> bool:
        return "redacted_because" in self.wire.get("unsigned", {})
