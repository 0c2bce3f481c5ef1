"""``!again``: the last picture of the room, or the one replied to, with what was typed changed."""

from __future__ import annotations

from ..language.arguments import Intent, flags_only
from ..language.message import Message
from .again_request import again
from .command import Command
from .outcome import Outcome
from .picture_request import once_more
from .services import Services


async def draw_again(services: Services, message: Message, intent: Intent) -> Outcome:
    return AGAIN.refuse(services, intent) or await once_more(services, message, intent, again)


AGAIN = Command(
    name="again",
    run=draw_again,
    reads=flags_only,
    usage=("again", "once more; as a reply to a picture, that one"),
    topic=(
        "{!again} draws the last picture of this room once more with a new seed; as a reply to a picture, that one, "
        "however old. Every flag of {!draw} changes one thing: {!again --seed same --steps 50} keeps the seed and "
        "takes more steps."
    ),
    documented=(
        ("`!again`", "the last picture of the room once more, with a new seed; as a reply to a picture, that one"),
    ),
    stray=(
        "{!again} repeats a picture and takes only flags, such as {!again --steps 50}. For other words, use {!draw …}."
    ),
)
