"""``!describe``: what a picture shows, and prompts that a number draws; and those numbers."""

from __future__ import annotations

from .. import texts
from ..errors import MatrixError, Unanswered
from ..language.arguments import Intent, nothing_or
from ..language.choice import choice
from ..language.message import Message, thread_of
from ..language.options import DrawOptions
from ..requests.descriptions import prompts_in
from .asked_picture import picture_request
from .command import Command
from .context import circumstances
from .find_picture import find_picture
from .outcome import NewRequest, Outcome, Unusable, say
from .picture_event import read_event
from .picture_request import new_seed
from .services import Services


async def describe(services: Services, message: Message, intent: Intent) -> Outcome:
    if (refused := DESCRIBE.refuse(services, intent)) is not None:
        return refused
    prefix = services.config.current.prefix
    try:
        event_id, _ = await find_picture(services, message, none=texts.describe_needs_a_picture(prefix))
    except Unusable as refusal:
        return say(str(refusal))
    except MatrixError as error:
        raise Unanswered(type(error).__name__, sentence=texts.PICTURE_AWAY) from None
    return Outcome(request=NewRequest(kind="describe", body={"picture": {"event": event_id}}))


async def draw_chosen(services: Services, message: Message) -> Outcome | None:
    """The prompt that a reply to a description, or a reaction to it, names by its number; ``None``: it is neither.

    Raises a :class:`~..errors.MatrixError` where the homeserver does not say what stands there.
    """
    target = message.event_id if message.reaction else message.reply_to
    number = None if message.is_media else choice(message.reaction or message.body)
    if target is None or number is None:
        return None
    event = await read_event(services, message.room_id, target)
    prompts = prompts_in(event, str(services.client.mxid))
    if event is None or prompts is None:
        return None
    if number > len(prompts):
        return None if message.reaction else say(texts.no_such_prompt(len(prompts)))
    try:
        around = await circumstances(services, message.room_id)
        options = DrawOptions(prompt=prompts[number - 1])
        request = picture_request(options, around, seed=new_seed(), other=new_seed(), thread=thread_of(event))
    except Unusable as refusal:
        return say(str(refusal))
    return Outcome(request=request)


DESCRIBE = Command(
    name="describe",
    run=describe,
    aliases=("alt",),
    reads=nothing_or(),
    usage=("describe", "what the last picture shows, and three prompts to draw; as a reply to a picture, that one"),
    topic=(
        "{!describe} says what the last picture of this room shows, for people who do not see it, with three prompts; "
        "as a reply to a picture, or as its caption, that one, whoever sent it. Reply to the answer with `2`, or react "
        "with 2\ufe0f\u20e3, and I draw the second one."
    ),
    documented=(
        (
            "`!describe`",
            "what the last picture of the room shows, and three prompts; as a reply to a picture, or as its caption, "
            "that one",
        ),
        ("`2` as a reply to that, or the reaction 2\ufe0f\u20e3", "the second of its prompts, drawn"),
    ),
    stray="{!describe} takes no words. Reply to a picture with it, or type it alone for the last one.",
)
