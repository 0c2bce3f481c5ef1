"""A slip, or another program's name for a command, where nobody but the bot can be meant."""

from __future__ import annotations

from .. import texts
from ..language.message import EMOTE, Message
from ..language.near_commands import near_command
from .outcome import Outcome, refuse
from .registry import MEANT, VOCABULARY
from .services import Services


async def near_miss(services: Services, message: Message) -> Outcome | None:
    """What may have been meant; ``None``: nothing of ours, or there is somebody else in the room.

    Raises :class:`~.permissions.MembersUnknown` if the homeserver cannot be asked.
    """
    prefix = services.config.current.prefix
    if message.msgtype == EMOTE:
        return None
    near = near_command(message.body, prefix=prefix, commands=VOCABULARY, meant=MEANT)
    if near is None or not await services.permissions.alone_with(message.room_id, message.sender, message.said_at):
        return None
    return refuse(texts.did_you_mean(near.typed, near.command, near.rest, prefix))
