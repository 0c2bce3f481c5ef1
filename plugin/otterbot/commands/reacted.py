"""A reaction and the message that it is on: of which request, and what stands there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from ..language.reaction import Reaction
from ..requests.descriptions import prompts_in
from ..requests.sheet_fields import sheet_in
from ..store.part_names import DESCRIBED, FINAL
from ..store.rows import Part, Request
from .picture_event import read_event
from .posted_picture import mark_of
from .services import Services


class On(Enum):
    """What a message is, as far as anything follows from a reaction to it."""

    REQUEST = auto()
    """Under way: the message that asks, or what the bot says about it."""
    ANSWER = auto()
    """A chat's answer, or the sentence that there is none; over."""
    PICTURE = auto()
    """A picture of the bot's, however old."""
    SHEET = auto()
    """Several of them, on one contact sheet."""
    DESCRIPTION = auto()
    """The answer of `!describe`."""


READ = frozenset({On.PICTURE, On.SHEET, On.DESCRIPTION})
"""What the event itself tells, with any database: results that stand in the room."""


@dataclass(frozen=True, kw_only=True)
class Reacted:
    """One reaction on something of ours."""

    reaction: Reaction
    on: On
    request: Request | None = None
    """What the message asks for, or belongs to, as far as the database knows."""
    part: Part | None = None
    """What the message is to that request."""
    event: Mapping[str, Any] | None = None
    """The message, decrypted, where it is one of `READ`."""

    @property
    def room(self) -> str:
        return self.reaction.room_id

    @property
    def sender(self) -> str:
        """Who reacted."""
        return self.reaction.sender


async def look(services: Services, reaction: Reaction, kinds: Collection[On]) -> Reacted | None:
    """What the reaction is on; ``None``: none of these ``kinds``.

    Raises a :class:`~..errors.MatrixError` where the homeserver does not say what stands there.
    """
    part = await services.store.part_by_event(reaction.target)
    request = await _request(services, reaction, part)
    if request is not None and not _is_result(part):
        on, event = _of_request(request, part), None
    elif READ.isdisjoint(kinds):
        return None
    else:
        bot = str(services.client.mxid)
        event = await read_event(services, reaction.room_id, reaction.target, by=bot)
        on = _shown(event, bot)
    if on is None or on not in kinds:
        return None
    return Reacted(reaction=reaction, on=on, request=request, part=part, event=event)


async def _request(services: Services, reaction: Reaction, part: Part | None) -> Request | None:
    if part is None:
        request = await services.store.request_by_event(reaction.target)
    else:
        request = await services.store.request(part.key)
    return request if request is not None and request.room_id == reaction.room_id else None


def _is_result(part: Part | None) -> bool:
    """Whether it is a result that stands in the room whatever becomes of the rest of its request."""
    return part is not None and (part.part.shows or part.part.family == DESCRIBED)


def _of_request(request: Request, part: Part | None) -> On | None:
    if request.open:
        return On.REQUEST
    if request.kind == "chat" and part is not None and (part.part.is_answer or part.part == FINAL):
        return On.ANSWER
    return None


def _shown(event: Mapping[str, Any] | None, bot: str) -> On | None:
    """What a (readable) event of the bot's shows."""
    if event is None or event.get("sender") != bot:
        return None
    if sheet_in(event) is not None:
        return On.SHEET
    if mark_of(event) is not None:
        return On.PICTURE
    return None if prompts_in(event, bot) is None else On.DESCRIPTION
