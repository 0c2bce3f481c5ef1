"""``!keep`` and ``!delete``: what ⭐ and ❌ do, typed as a reply to a picture."""

from __future__ import annotations

from dataclasses import replace

from .. import texts
from ..errors import MatrixError, Unanswered
from ..language.arguments import Intent, nothing_or
from ..language.message import Message
from ..language.reaction import Reaction
from .command import Command
from .deletion import delete_picture
from .find_picture import find_picture
from .keep import keep
from .outcome import Outcome, Reply, Unusable, refuse
from .picture_owner import is_owner_or_moderator
from .reacted import On, Reacted, look
from .services import Services


async def type_keep(services: Services, message: Message, intent: Intent) -> Outcome:
    if (refused := KEEP.refuse(services, intent)) is not None:
        return refused
    try:
        outcome = await keep(services, await _meant(services, message, "⭐"))
    except Unusable as refusal:
        return refuse(str(refusal))
    if outcome is None:
        return refuse(texts.not_a_picture(services.config.current.prefix))
    return outcome if outcome.reply is not None else replace(outcome, reply=Reply(text=texts.KEPT))


async def type_delete(services: Services, message: Message, intent: Intent) -> Outcome:
    if (refused := DELETE.refuse(services, intent)) is not None:
        return refused
    if message.reply_to is None:
        return refuse(texts.delete_needs_a_reply(services.config.current.prefix))
    try:
        reacted = await _meant(services, message, "❌")
    except Unusable as refusal:
        return refuse(str(refusal))
    if not await is_owner_or_moderator(services, reacted):
        return refuse(texts.may_not_delete(DELETE.level(services.config.current)))
    outcome = await delete_picture(services, reacted)
    return outcome or refuse(texts.not_a_picture(services.config.current.prefix))


async def _meant(services: Services, message: Message, emoji: str) -> Reacted:
    """The picture, as if somebody had reacted to it. Raises :class:`Unusable`, and :class:`~..errors.Unanswered`."""
    sentence = texts.not_a_picture(services.config.current.prefix)
    try:
        target, _ = await find_picture(services, message, sentence)
        reaction = Reaction(
            room_id=message.room_id,
            event_id=message.event_id,
            sender=message.sender,
            target=target,
            emoji=emoji,
            timestamp=message.timestamp,
        )
        reacted = await look(services, reaction, {On.PICTURE, On.SHEET})
    except MatrixError as error:
        raise Unanswered(type(error).__name__, sentence=texts.PICTURE_AWAY) from None
    if reacted is None:
        raise Unusable(sentence)
    return reacted


KEEP = Command(
    name="keep",
    meant=("save", "star"),
    run=type_keep,
    reads=nothing_or(),
    usage=("keep", "as a reply to a picture: it is not cleared away"),
    topic=(
        "{!keep} as a reply to a picture of mine, or alone for the last one, keeps it, as ⭐ does. Deleting your "
        "message ends that."
    ),
    documented=(("`!keep` as a reply to a picture", "it is kept, as by the reaction ⭐"),),
    stray="{!keep} takes no words. Reply to a picture of mine with it, or type it alone for the last one.",
)
DELETE = Command(
    name="delete",
    meant=("remove",),
    run=type_delete,
    reads=nothing_or(),
    power="cancel_others",
    usage=("delete", "as a reply to a picture of yours: it goes"),
    topic=(
        "{!delete} as a reply to a picture that you asked for takes it out of the room and out of the worker's "
        "archive, as ❌ does. Moderators: anybody's."
    ),
    documented=(("`!delete` as a reply to a picture", "it is deleted, as by the reaction ❌"),),
    stray="{!delete} takes no words. Reply with it to the picture that is to go.",
)
