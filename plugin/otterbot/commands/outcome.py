"""The result of a command, committed by ``inbox`` in one transaction.

A command sends nothing itself. It looks (at the worker, the settings, the room) and returns an
:class:`Outcome`. All of it is stored together with the mark "handled", so a process that dies in
between either handles the message again or owes exactly what stands in the database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ..store.rows import Kept, Part, Request, RoomStyle


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A sentence for the room: an ``m.notice`` that replies to the message, in its thread."""

    text: str
    """Markdown. People's words in it are escaped already."""
    thread: str | None = None
    """The thread that it belongs into, where the message does not say it itself: a reaction does not."""
    once: bool = False
    """It is said once under the message that a reaction is on, whoever reacts."""


@dataclass(frozen=True, kw_only=True)
class NewRequest:
    """A request that the plugin accepts: kept from now on, until its result stands in the room."""

    kind: Literal["image", "chat", "describe"]
    body: dict[str, Any] | None = None
    """The ``request`` of ``POST /v1/jobs``, seed included; the worker resolves it. ``None`` for chat: the messages are
    read from the room at submission."""
    asked: dict[str, Any] = field(default_factory=dict)
    """Only what the person typed, named as in the worker's ``ImageOptions``."""
    notes: tuple[str, ...] = ()
    """What is to be said of how it was understood, as sentences for the status or caption; the worker has its own."""
    thread: str | None = None
    """The thread that the result belongs into, where the message does not say it itself: a reaction does not."""


@dataclass(frozen=True, kw_only=True)
class RoomSetting:
    """A setting of the room to store; ``value=None`` removes it."""

    name: str
    value: str | None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything that follows from one message; the default is nothing at all."""

    reply: Reply | None = None
    request: NewRequest | None = None
    cancel: tuple[str, ...] = ()
    """Keys of requests to cancel, in this room only."""
    setting: RoomSetting | None = None
    style: RoomStyle | None = None
    """A style of the room's own, to be saved."""
    unstyle: str | None = None
    """The key of one that is deleted."""
    told: tuple[str, ...] = ()
    """Warnings that the reply says, so that it is known for a day."""
    again: Request | None = None
    """A request to be made once more, with what is ``asked`` in it."""
    refused: bool = False
    """What was asked for does not come: the message gets the reaction of a failure."""
    parts: tuple[Part, ...] = ()
    """Further things to put into rooms, or to take out of them."""
    kept: tuple[Part, Kept] | None = None
    """A picture of ours that stands in the room, and who keeps it."""
    discarded: Part | None = None
    """A picture of ours that stands in the room, and whose file is to be deleted."""


class Unusable(Exception):
    """The command cannot be carried out; the message is a sentence for people."""


def refuse(text: str) -> Outcome:
    """An outcome that says why what was asked for does not come."""
    return Outcome(reply=Reply(text=text), refused=True)


def say(text: str) -> Outcome:
    """An outcome that only says something."""
    return Outcome(reply=Reply(text=text))
