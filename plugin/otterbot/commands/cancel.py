"""``!cancel``: what somebody has waiting is taken back; moderators take back anybody's."""

from __future__ import annotations

from .. import texts
from ..language.arguments import Intent, nothing_or
from ..language.message import Message
from ..store.rows import Request
from .command import Command
from .outcome import Outcome, Reply, refuse, say
from .services import Services


async def cancel(services: Services, message: Message, intent: Intent) -> Outcome:
    if message.reply_to is not None:  # further words are ignored in a reply
        return await _cancel_one(services, message, message.reply_to)
    if (refused := CANCEL.refuse(services, intent)) is not None:
        return refused
    if intent.text == "all":
        return await _cancel_all(services, message)
    own = await services.store.open_requests(message.room_id, message.sender)
    own = [request for request in own if _was_there(request, message)]
    return _cancelled(own) if own else say(texts.NOTHING_TO_CANCEL)


def _was_there(request: Request, message: Message) -> bool:
    """Not typed after the message, which may come late (its room key, say). One person's times are of one clock; of
    two people's nobody knows. What was accepted before the message came was typed before it, whatever clocks say."""
    if request.sender != message.sender or request.sent_at is None or request.created_at <= message.said_at:
        return True
    return request.sent_at <= message.timestamp / 1000


async def _cancel_one(services: Services, message: Message, target: str) -> Outcome:
    store, level = services.store, CANCEL.level(services.config.current)
    request = await store.request_by_event(target)
    if request is None and (part := await store.part_by_event(target)) is not None:
        request = await store.request(part.key)
    if request is None or request.room_id != message.room_id:
        return refuse(texts.NOT_A_REQUEST)
    if not request.open or not _was_there(request, message):  # the request was replaced by an edit
        return say(texts.OVER_ALREADY)
    own = request.sender == message.sender
    if not own and not await services.permissions.has_power(message.room_id, message.sender, level):
        return refuse(texts.may_not_cancel(level))
    return _cancelled([request])


async def _cancel_all(services: Services, message: Message) -> Outcome:
    level = CANCEL.level(services.config.current)
    if not await services.permissions.has_power(message.room_id, message.sender, level):
        return refuse(texts.may_not_cancel_all(level, services.config.current.prefix))
    everything = await services.store.open_requests(message.room_id)
    everything = [request for request in everything if _was_there(request, message)]
    return _cancelled(everything) if everything else say(texts.NOTHING_AT_ALL_TO_CANCEL)


def _cancelled(requests: list[Request]) -> Outcome:
    keys = tuple(request.key for request in requests)
    return Outcome(cancel=keys, reply=Reply(text=texts.cancelled(len(keys))))


CANCEL = Command(
    name="cancel",
    meant=("stop", "abort"),
    run=cancel,
    reads=nothing_or("all"),
    power="cancel_others",
    usage=("cancel", "takes your waiting requests back; as a reply, that one"),
    topic=(
        "{!cancel} takes back all that you have waiting in this room; as a reply to a request, that one. Deleting your "
        "message does the same. Moderators: {!cancel all} for everybody's, or reply to anybody's."
    ),
    documented=(("`!cancel`, `!cancel all`", "what you have waiting is taken back"),),
    stray=(
        "{!cancel} takes back all that you have waiting here; as a reply to a request, that one. Moderators may say "
        "{!cancel all}."
    ),
)
