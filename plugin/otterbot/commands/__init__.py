"""From a message to what follows from it. The one entrance is :func:`handle`; that of reactions is
:func:`.reactions.react`.

Commands read and decide; they send nothing (see :mod:`.outcome`). Silence is the answer to
strangers, to unknown commands and to text that is not for us; but a slip gets an answer where nobody else is.
"""

from __future__ import annotations

from ..language.message import SPEECH, Message
from .chat import plain_text
from .choose import chosen
from .describe import draw_chosen
from .near_misses import near_miss
from .outcome import Outcome
from .registry import BY_NAME
from .services import Services


async def handle(services: Services, message: Message) -> Outcome | None:
    """What ``message`` leads to; ``None`` if it is not for us (then it is not marked handled)."""
    if message.own or not (message.msgtype in SPEECH or message.is_media):
        return None  # notices are other bots'
    if not services.permissions.may_use(message.sender):
        return None
    intent = await services.calls.intent(message)
    if intent is not None:
        return await BY_NAME[intent.name].run(services, message, intent)
    return (
        await draw_chosen(services, message)
        or await chosen(services, message)
        or await near_miss(services, message)
        or await plain_text(services, message)
    )
