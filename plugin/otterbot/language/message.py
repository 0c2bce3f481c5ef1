"""A message as the commands see it: checked, edit and reply relations resolved, captions understood."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import numeric

MEDIA = frozenset({"m.image", "m.file", "m.video", "m.audio"})
EMOTE = "m.emote"
"""``/me``: a person's action; can be part of a chat, but is no command."""
SPEECH = frozenset({"m.text", EMOTE})
"""Kinds of messages in which people speak. Notices are programs'."""
MAX_BODY = 64_000
"""Characters of a body. No valid event is larger; longer ones of broken servers are cut."""
HTML = "org.matrix.custom.html"
MAX_MENTIONS = 100

_FALLBACK = re.compile(r"\A> (?:\* )?<@[^\s>:]*:[^\s>]+>[^\n]*\n(?:>[^\n]*\n)*\n")
"""How clients repeated what they replied to, until version 1.13 of the specification: it names who said it. What a
person quotes stays."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """One ``m.room.message``. ``event_id`` is always the id of the original: for an edit,
    ``edit_id`` is the id of the event that edits it and ``body`` is the new text."""

    room_id: str
    event_id: str
    sender: str
    body: str
    """Without the reply fallback. Of media: the caption, ``""`` if there is none."""
    msgtype: str
    timestamp: int
    """``origin_server_ts``, milliseconds: by whatever clock its sender's homeserver has."""
    said_at: float = 0.0
    """When it counts as said, in the bot's homeserver's time (Unix seconds); see :mod:`..inbox.timeline`."""
    edit_id: str | None = None
    thread_root: str | None = None
    reply_to: str | None = None
    """The replied-to event; not a thread's reply fallback."""
    formatted: str = ""
    """Its HTML, as it is, ``""`` if there is none."""
    mentions: frozenset[str] = frozenset()
    """User ids in ``m.mentions``."""
    encrypted: bool = False
    is_media: bool = False
    own: bool = False

    @property
    def mark(self) -> str:
        """The id by which this event is marked handled."""
        return self.edit_id or self.event_id


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def event_id_in(value: Any) -> str | None:
    """A valid event id, or ``None``. Ids in relations are untrusted, and become parts of URLs."""
    if not isinstance(value, str) or not value.startswith("$") or not 2 <= len(value) <= 255:
        return None
    return value if value.isascii() and value.isprintable() else None


def _caption(content: Mapping[str, Any], body: str) -> str:
    """MSC2530: with a ``filename`` that differs, the body is a caption; else it is the file's name."""
    filename = _text(content.get("filename"))
    return body if filename is not None and filename != body else ""


def _mentions(content: Mapping[str, Any]) -> frozenset[str]:
    named = _mapping(content.get("m.mentions")).get("user_ids")
    users = named[:MAX_MENTIONS] if isinstance(named, list) else []
    return frozenset(user for user in users if isinstance(user, str))


def relations(relates: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Thread root and reply target in an ``m.relates_to``."""
    reply = event_id_in(_mapping(relates.get("m.in_reply_to")).get("event_id"))
    if relates.get("rel_type") != "m.thread":
        return None, reply
    root = event_id_in(relates.get("event_id"))
    return root, None if relates.get("is_falling_back") else reply


def thread_of(event: Mapping[str, Any]) -> str | None:
    """The thread that a (readable) event stands in."""
    return relations(_mapping(_mapping(event.get("content")).get("m.relates_to")))[0]


def from_raw(raw: Mapping[str, Any], *, encrypted: bool, own_id: str = "") -> Message | None:
    """The message in a (decrypted) event of the client-server API, or ``None`` if it is not a
    well-formed ``m.room.message``. Never raises, whatever stands in it."""
    content = _mapping(raw.get("content"))
    event_id, sender, room_id = (_text(raw.get(name)) for name in ("event_id", "sender", "room_id"))
    timestamp = numeric.whole(raw.get("origin_server_ts"))
    if raw.get("type") != "m.room.message" or "state_key" in raw:
        return None
    if event_id is None or sender is None or room_id is None:
        return None
    if timestamp is None:
        return None
    edit_id: str | None = None
    outer = _mapping(content.get("m.relates_to"))
    if outer.get("rel_type") == "m.replace":
        original = event_id_in(outer.get("event_id"))
        if original is None or not isinstance(content.get("m.new_content"), Mapping):
            return None
        event_id, edit_id = original, event_id
        content = _mapping(content["m.new_content"])
    body, msgtype = content.get("body"), content.get("msgtype")
    if not isinstance(body, str) or not isinstance(msgtype, str):
        return None
    thread_root, reply_to = relations(_mapping(content.get("m.relates_to")))
    body = body[:MAX_BODY]
    if reply_to:
        body = _FALLBACK.sub("", body)
    if msgtype in MEDIA:
        body = _caption(content, body)
    return Message(
        room_id=room_id,
        event_id=event_id,
        sender=sender,
        body=body,
        msgtype=msgtype,
        timestamp=timestamp,
        said_at=timestamp / 1000,
        edit_id=edit_id,
        thread_root=thread_root,
        reply_to=reply_to,
        formatted=(_text(content.get("formatted_body")) or "")[:MAX_BODY] if content.get("format") == HTML else "",
        mentions=_mentions(content),
        encrypted=encrypted,
        is_media=msgtype in MEDIA,
        own=sender == own_id,
    )
