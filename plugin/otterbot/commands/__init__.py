"""From a message to what follows from it. The one entrance is :func:`handle`.

Handlers read and decide; they send nothing (see :mod:`.outcome`). Silence is the answer to
strangers, to unknown commands and to text that is not for us.
"""

from __future__ import annotations

from .. import texts
from ..language.intents import Intent
from ..language.message import SPEECH, Message
from .chat import chat, plain_text
from .draw import draw, draw_again, upscale, vary
from .models import list_models, show_or_set_model
from .outcome import Outcome, say
from .queue import cancel, show_queue
from .services import Services
from .settings import show_or_set
from .status import show_help, show_status


async def handle(services: Services, message: Message) -> Outcome | None:
    """What ``message`` leads to; ``None`` if it is not for us (then it is not marked handled)."""
    if message.own or not (message.msgtype in SPEECH or message.is_media):
        return None  # notices are other bots'
    if not services.permissions.may_use(message.sender):
        return None
    intent = await services.calls.intent(message)
    if intent is not None:
        return await _carry_out(services, message, intent)
    return await plain_text(services, message)


async def _carry_out(services: Services, message: Message, intent: Intent) -> Outcome:
    match intent.name:
        case "draw":
            return await draw(services, message, intent)
        case "again":
            return await draw_again(services, message, intent)
        case "vary":
            return await vary(services, message, intent)
        case "upscale":
            return await upscale(services, message, intent)
        case "chat":
            return await chat(services, message, intent)
        case "model":
            return await show_or_set_model(services, message, intent.text)
        case "models":
            return await list_models(services, message)
        case "settings":
            return await show_or_set(services, message, intent.text)
        case "queue":
            return await show_queue(services, message)
        case "cancel":
            if intent.problem is not None and message.reply_to is None:
                return say(texts.usage_problem(intent.problem, "cancel", services.config.current.prefix))
            return await cancel(services, message, intent.text)
        case "status":
            return await show_status(services, message)
        case "help":
            return await show_help(services, intent.text)
