"""``!vary``: a few small variations of the last picture of the room, or of the one replied to."""

from __future__ import annotations

from ..language.arguments import Intent, variation_and_flags
from ..language.message import Message
from .again_request import varied
from .choose import behind
from .command import Command
from .outcome import Outcome, Unusable, refuse
from .picture_request import once_more
from .services import Services


async def vary(services: Services, message: Message, intent: Intent) -> Outcome:
    try:
        intent, field = await behind(services, message, intent, VARY)
    except Unusable as refusal:
        return refuse(str(refusal))
    return VARY.refuse(services, intent) or await once_more(services, message, intent, varied, field=field)


VARY = Command(
    name="vary",
    meant=("variation", "variations"),
    run=vary,
    reads=variation_and_flags,
    usage=("vary", "a few small variations of the last picture; as a reply, of that one"),
    topic=(
        "{!vary} draws a few small variations of the last picture of this room; as a reply to a picture, of that one. "
        "{!vary 0.4} goes further from it (above 0, up to 1; usually 0.2), {!vary --count 2} draws two. Every flag of "
        "{!draw} changes one thing."
    ),
    documented=(
        ("`!vary`", "a few small variations of it: the last picture of the room, or the one replied to"),
    ),
    stray=(
        "{!vary} draws variations of a picture and takes how much, flags, and changes of its words, such as "
        "{!vary 0.4 --count 2 +red scarf}. For other words, use {!vary --prompt …}."
    ),
)  # fmt: skip
