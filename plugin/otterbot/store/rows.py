"""Rows of the plugin's database as frozen records, and what they may be.

Requests::

    kept ──202──▶ submitted ──every part sent──▶ done        kept, submitted ──refusal, cancel, expiry──▶ done
      ▲                │ the worker has forgotten it
      └────────────────┘

Parts (one message, reaction or redaction of a request)::

    ready ──▶ sending ──event id──▶ sent        ready, sending ──refused──▶ failed
      └── no longer wanted ──▶ dropped

While a room lets nothing in, its parts wait as ``ready``; when it is upgraded, they move with their request.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from .part_names import PartName


class RequestState(StrEnum):
    KEPT = "kept"
    SUBMITTED = "submitted"
    DONE = "done"


class PartState(StrEnum):
    READY = "ready"
    SENDING = "sending"
    """Marked before the request goes out: from here on the homeserver may have it."""
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, kw_only=True)
class RoomStyle:
    """A style of a room's own."""

    key: str
    """By which its name is compared: the same for all spellings."""
    name: str
    prompt: str = ""
    negative_prompt: str = ""


class Kind(StrEnum):
    MESSAGE = "message"
    EDIT = "edit"
    REACTION = "reaction"
    REDACTION = "redaction"


class Rank(IntEnum):
    """Ranks of messages, the most important first, for rate limits."""

    RESULT = 0
    REFUSAL = 10
    STATUS = 20
    REACTION = 30
    REPEAT = 35
    EDIT = 40
    PREVIEW = 45
    OFFER = 50


def key_of(bot: str, room: str, event_id: str, edit_id: str | None = None) -> str:
    """The idempotency key of what this message (or this edit of it) asks for."""
    text = "\0".join((bot, room, event_id, edit_id or ""))
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def follow_key(key: str) -> str:
    """The key of the one request that may follow from that one."""
    return hashlib.sha256(f"{key}\0follow".encode()).hexdigest()[:40]


def copy_key(bot: str, event_id: str) -> str:
    """The key of a picture's one copy in the gallery, whoever asks for it."""
    return hashlib.sha256("\0".join((bot, "gallery", event_id)).encode()).hexdigest()[:40]


def hint_key(bot: str, event_id: str) -> str:
    """The key of what is said once under that message."""
    return hashlib.sha256("\0".join((bot, "hint", event_id)).encode()).hexdigest()[:40]


def transaction_id(key: str, part: str) -> str:
    """The Matrix transaction id of a part: the same however often it has to be sent."""
    return hashlib.sha256(f"{key}\0{part}".encode()).hexdigest()[:40]


def _json(text: Any) -> Any:
    return None if text is None else json.loads(text)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a person asked, accepted by us."""

    key: str
    room_id: str
    event_id: str
    edit_id: str | None = None
    sender: str
    kind: str
    """``image`` or ``chat``."""
    state: RequestState = RequestState.KEPT
    body: dict[str, Any] | None = None
    """``request`` of ``POST /v1/jobs``, as it was asked for; pictures in it are named by their events. ``None`` for
    chat."""
    resolved: dict[str, Any] | None = None
    """The worker's resolved request: submitted instead of ``body`` if the worker forgets the job."""
    asked: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    private: bool = False
    thread_root: str | None = None
    reply_to: str | None = None
    job_id: str | None = None
    sent_at: float | None = None
    """When the homeserver received the message (or the edit), in its time; ``None``: stored by an older version."""
    created_at: float
    expires_at: float
    submitted_at: float | None = None
    done_at: float | None = None
    outcome: str | None = None
    cancel_owed: bool = False
    reaction: str | None = None
    """The emoji with which it was asked for, on the message ``event_id``; ``edit_id`` is the reaction itself then."""
    asked_in: str | None = None
    """The room of the message, where the request has moved with an upgrade since."""

    @property
    def submitted_as(self) -> str:
        """The ``kind`` of ``POST /v1/jobs``."""
        return self.kind if self.resolved is None else "resolved"

    @property
    def moved(self) -> bool:
        """Its message is in another room, where replies and reactions cannot refer to it."""
        return self.asked_in is not None

    @property
    def origin(self) -> str:
        """The room of its message."""
        return self.asked_in or self.room_id

    @property
    def open(self) -> bool:
        return self.state is not RequestState.DONE

    @classmethod
    def from_row(cls, row: Any) -> Request:
        data = {name: row[name] for name in cls.__dataclass_fields__}
        data["state"] = RequestState(data["state"])
        data["body"] = _json(data["body"])
        data["resolved"] = _json(data["resolved"])
        data["asked"] = _json(data["asked"])
        data["notes"] = tuple(_json(data["notes"]))
        data["private"] = bool(data["private"])
        data["cancel_owed"] = bool(data["cancel_owed"])
        return cls(**data)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One thing to put into the room exactly once."""

    key: str
    part: PartName
    room_id: str
    kind: Kind = Kind.MESSAGE
    rank: int = Rank.REFUSAL
    state: PartState = PartState.READY
    content: dict[str, Any] | None = None
    """Final content; ``None``: rebuilt by the builder of its kind (pictures, chat answers)."""
    event_id: str | None = None
    image_id: str | None = None
    reason: str | None = None
    """Why it could not be sent, see :class:`~..outbox.listeners.PartListener`; of a part that failed."""
    updated_at: float = 0.0
    moved: bool = False
    """It has moved to another room with its request: another event, with a transaction id of its own."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "part", PartName(self.part))

    @property
    def id(self) -> tuple[str, PartName]:
        return self.key, self.part

    @property
    def transaction_id(self) -> str:
        return transaction_id(self.key, f"{self.part}\0{self.room_id}" if self.moved else self.part)

    @classmethod
    def from_row(cls, row: Any) -> Part:
        data = {name: row[name] for name in cls.__dataclass_fields__}
        data["kind"] = Kind(data["kind"])
        data["state"] = PartState(data["state"])
        data["content"] = _json(data["content"])
        data["moved"] = bool(data["moved"])
        return cls(**data)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A picture that somebody wants to be kept."""

    event_id: str
    """The picture's event."""
    sender: str
    """Who wants that."""
    room_id: str
    """The picture's room."""
    reaction: str
    """The event with which it was said; taking that back lets go of it."""
    credit: str
    """The name of who asked for the picture, as that room showed it."""
    copy: str | None = None
    """The key of the copy in the gallery; ``None``: it gets none."""

    @classmethod
    def from_row(cls, row: Any) -> Kept:
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})
