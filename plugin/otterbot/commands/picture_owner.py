"""Whose a picture is: who asked for it."""

from __future__ import annotations

from ..language.message import event_id_in, relations
from .cancel import CANCEL
from .picture_event import read_event
from .posted_picture import asked_by
from .reacted import Reacted
from .services import Services


async def owner_of(services: Services, reacted: Reacted) -> str | None:
    """By the database, else by the picture's event, else by the message that it replies to; ``None``: nobody knows.

    Raises a :class:`~..errors.MatrixError` where the homeserver does not say what it replies to.
    """
    if reacted.request is not None:
        return reacted.request.sender
    if reacted.event is None:
        return None
    if (by := asked_by(reacted.event)) is not None:
        return by
    relates = reacted.event["content"].get("m.relates_to")
    asked = relations(relates)[1] if isinstance(relates, dict) else None
    message = None if event_id_in(asked) is None else await read_event(services, reacted.room, str(asked))
    sender = None if message is None else message.get("sender")
    return sender if isinstance(sender, str) and sender != str(services.client.mxid) else None


async def is_owner_or_moderator(services: Services, reacted: Reacted) -> bool:
    """Whether it is theirs who reacted, or they may cancel others' requests (`power.cancel_others`). Raises as
    :func:`owner_of`."""
    if reacted.sender == await owner_of(services, reacted):
        return True
    level = CANCEL.level(services.config.current)
    return await services.permissions.has_power(reacted.room, reacted.sender, level)
