"""``!again``: the last picture of the room, or the one replied to, with what was typed changed."""

from __future__ import annotations

from ..language.arguments import Intent, changes_and_flags
from ..language.message import Message
from .again_request import again, whole
from .choose import behind
from .command import Command
from .outcome import Outcome, Unusable, refuse
from .picture_request import once_more
from .services import Services


async def draw_again(services: Services, message: Message, intent: Intent) -> Outcome:
    try:
        intent, field = await behind(services, message, intent, AGAIN)
    except Unusable as refusal:
        return refuse(str(refusal))
    refused = AGAIN.refuse(services, intent)
    return refused or await once_more(services, message, intent, again, field=field, whole=whole)


AGAIN = Command(
    name="again",
    meant=("redo", "reroll", "retry", "repeat"),
    run=draw_again,
    reads=changes_and_flags,
    usage=("again", "once more; as a reply to a picture, that one"),
    topic=(
        "{!again} draws the last picture of this room once more with a new seed; as a reply to a picture, that one, "
        "however old. Every flag of {!draw} changes one thing: {!again --seed same --steps 50} keeps the seed and "
        "takes more steps.\n\n"
        "The same picture with other words, its seed kept: {!again +red scarf -cowboy hat} adds words and takes words "
        "out, {!again --prompt otter, red scarf} says all of them anew."
    ),
    documented=(
        ("`!again`", "the last picture of the room once more, with a new seed; as a reply to a picture, that one"),
        ("`!again +red scarf -cowboy hat`, `!again --prompt …`", "that picture with other words, and the same seed"),
    ),
    stray=(
        "{!again} repeats a picture and takes flags, such as {!again --steps 50}, and changes of its words, such as "
        "{!again +red scarf -cowboy hat}. For all other words, use {!again --prompt …}, or {!draw …} for a new "
        "picture."
    ),
)
