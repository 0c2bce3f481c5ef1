"""``!sweep``: the last picture of the room, or the one replied to, once for each value of a setting, or of two."""

from __future__ import annotations

from .. import texts
from ..language.arguments import Intent, sweep_and_flags
from ..language.message import Message
from .again_request import again
from .choose import behind
from .command import Command
from .outcome import Outcome, Unusable, refuse
from .picture_request import once_more
from .services import Services


async def sweep(services: Services, message: Message, intent: Intent) -> Outcome:
    try:
        intent, field = await behind(services, message, intent, SWEEP)
    except Unusable as refusal:
        return refuse(str(refusal))
    return SWEEP.refuse(services, intent) or await once_more(services, message, intent, again, field=field)


SWEEP = Command(
    name="sweep",
    run=sweep,
    reads=sweep_and_flags,
    aliases=("grid",),
    usage=("sweep cfg 4..16", "one labelled sheet over one setting or two"),
    topic=(
        "{!sweep cfg 4..16} draws the last picture of this room with several values of one setting, as one labelled "
        "sheet; as a reply to a picture, that one. {!sweep cfg 4..16 steps 10,20,40} takes two, the first one across. "
        "Of words of your own: {!draw otter --sweep cfg=4..16}.\n\n"
        f"The settings:\n{texts.sweep_lines()}\n\n"
        "A range takes a few values, {!sweep cfg 4..16/5} five of them, {!sweep cfg 4..16+4} every fourth. The seed "
        "stays. Every field can be made again: {!again B3}."
    ),
    documented=(
        ("`!sweep cfg 4..16`, `!sweep cfg 4..16/5 steps 10,20,40`", "one labelled sheet over one setting or two"),
    ),
)
