"""``!upscale``: the last picture of the room, the one replied to, or the one that this is the caption of, larger."""

from __future__ import annotations

from .. import texts
from ..errors import MatrixError, Unanswered
from ..language.arguments import Intent, factor_and_flags
from ..language.message import Message
from . import choose
from .again_request import upscaled
from .choose import behind
from .command import Command
from .context import circumstances
from .find_picture import find_picture, is_sheet
from .outcome import Outcome, Unusable, refuse
from .picture_request import new_seed, outcome
from .services import Services


async def upscale(services: Services, message: Message, intent: Intent) -> Outcome:
    try:
        intent, field = await behind(services, message, intent, UPSCALE)
        if (refused := UPSCALE.refuse(services, intent)) is not None:
            return refused
        around = await circumstances(services, message.room_id)
        if field is not None:
            return await outcome(services, choose.upscaled(intent.options, field, around), intent)
        event_id, record = await find_picture(services, message)
        if record is not None and await is_sheet(services, message.room_id, event_id):
            raise Unusable(texts.which_field("upscale", services.config.current.prefix))
        request = upscaled(intent.options, record, around, new_seed=new_seed(), other=new_seed(), start=event_id)
    except Unusable as refusal:
        return refuse(str(refusal))
    except MatrixError as error:
        raise Unanswered(type(error).__name__, sentence=texts.PICTURE_AWAY) from None
    return await outcome(services, request, intent)


UPSCALE = Command(
    name="upscale",
    meant=("enlarge", "hires"),
    run=upscale,
    reads=factor_and_flags,
    usage=("upscale", "the last picture twice as large, with more detail; as a reply to a picture, that one"),
    topic=(
        "{!upscale} makes the last picture of this room twice as large, with more detail; as a reply to a picture, "
        "that one, whoever sent it. {!upscale 4} makes it four times as large, {!upscale --strength 0.4} changes more "
        "of it (usually 0.3). `--model`, `--steps`, `--cfg`, `--no`, `--sampler` and `--seed` work as well."
    ),
    documented=(
        (
            "`!upscale`, `!upscale 4`",
            "the last picture twice, or four times, as large, with more detail; as a reply to a picture, or as its "
            "caption, that one",
        ),
    ),
    stray=(
        "{!upscale} makes a picture larger and takes only how many times (2 or 4) and flags, such as {!upscale 4}. For "
        "other words, use {!draw …}."
    ),
)
