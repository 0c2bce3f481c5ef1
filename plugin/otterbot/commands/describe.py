"""``!describe``: what a picture shows, and prompts that a number draws; and those numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
from .outcome import NewRequest, Outcome, Reply, Unusable, refuse
from .picture_event import read_event
from .picture_request import new_seed
from .reacted import Reacted
from .services import Services


async def describe(services: Services, message: Message, intent: Intent) -> Outcome:
    if (refused := DESCRIBE.refuse(services, intent)) is not None:
        return refused
    prefix = services.config.current.prefix
    try:
        event_id, _ = await find_picture(services, message, none=texts.describe_needs_a_picture(prefix))
    except Unusable as refusal:
        return refuse(str(refusal))
    except MatrixError as error:
        raise Unanswered(type(error).__name__, sentence=texts.PICTURE_AWAY) from None
    return Outcome(request=NewRequest(kind="describe", body={"picture": {"event": event_id}}))


async def draw_chosen(services: Services, message: Message) -> Outcome | None:
    """The prompt that a reply to a description names by its number; ``None``: it is no such reply.

    Raises a :class:`~..errors.MatrixError` where the homeserver does not say what stands there.
    """
    number = None if message.is_media else choice(message.body)
    if message.reply_to is None or number is None:
        return None
    event = await read_event(services, message.room_id, message.reply_to)
    prompts = prompts_in(event, str(services.client.mxid))
    if event is None or prompts is None:
        return None
    if number > len(prompts):
        return refuse(texts.no_such_prompt(len(prompts)))
    return await _drawn(services, message.room_id, event, prompts[number - 1])


async def draw_reacted(services: Services, reacted: Reacted) -> Outcome | None:
    """The prompt that a reaction to a description names by its number; ``None``: there is none of it."""
    number, prompts = reacted.reaction.number, prompts_in(reacted.event, str(services.client.mxid))
    if reacted.event is None or number is None or prompts is None or number > len(prompts):
        return None
    return await _drawn(services, reacted.room, reacted.event, prompts[number - 1])


async def _drawn(services: Services, room: str, event: Mapping[str, Any], prompt: str) -> Outcome:
    """One of the description's prompts as a request, in the thread of the description."""
    try:
        around = await circumstances(services, room)
        options = DrawOptions(prompt=prompt)
        request = picture_request(options, around, seed=new_seed(), other=new_seed(), thread=thread_of(event))
    except Unusable as refusal:
        return Outcome(reply=Reply(text=str(refusal), thread=thread_of(event)), refused=True)
    return Outcome(request=request)


DESCRIBE = Command(
    name="describe",
    meant=("caption", "interrogate"),
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
