"""One picture of a contact sheet: named by a number, a reaction, or behind a command, and posted in full.

It comes from the worker's archive where it still is there, else it is drawn again from its record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .. import texts
from ..errors import MatrixError, Unanswered
from ..language.arguments import Intent
from ..language.fields import Field, fields, leading, numbered
from ..language.message import Message, thread_of
from ..language.options import DrawOptions
from ..requests.following import CHOSEN
from . import again_request
from .command import Command
from .context import Circumstances, circumstances
from .find_picture import find_drawn
from .found import Found, found_in
from .outcome import NewRequest, Outcome, Reply, Unusable, refuse
from .picture_event import read_event
from .picture_request import new_seed
from .reacted import Reacted
from .services import Services

SUCCEEDED = "succeeded"


async def chosen(services: Services, message: Message) -> Outcome | None:
    """The pictures that a reply to a sheet names; ``None``: it is no such reply.

    Raises a :class:`~..errors.MatrixError` where the homeserver does not say what stands there.
    """
    named = () if message.is_media else fields(message.body)
    if message.reply_to is None or not named:
        return None
    found = found_in(services, await read_event(services, message.room_id, message.reply_to))
    if found is None or found.sheet is None:
        return None
    return await _posted(services, message.room_id, found, named)


async def reacted(services: Services, reacted: Reacted) -> Outcome | None:
    """The picture that a reaction on a sheet names, once for everybody."""
    number, found = reacted.reaction.number, found_in(services, reacted.event)
    if number is None or found is None or found.sheet is None or reacted.event is None:
        return None
    if number > len(found.sheet.fields) or found.sheet.fields[number - 1].record is None:
        return None
    before = await services.store.request_by_any_reaction(reacted.reaction.target, reacted.reaction.emoji)
    if before is not None and (before.open or before.outcome == SUCCEEDED):
        return None
    outcome = await _posted(services, reacted.room, found, [numbered(number - 1)])
    thread = thread_of(reacted.event)
    if outcome.reply is not None:
        return Outcome(reply=Reply(text=outcome.reply.text, thread=thread))
    return outcome if outcome.request is None else Outcome(request=replace(outcome.request, thread=thread))


async def _posted(services: Services, room: str, found: Found, named: Sequence[Field]) -> Outcome:
    """The request for the first one, which the others follow."""
    try:
        around = await circumstances(services, room)
        request: NewRequest | None = None
        for field in reversed([field_of(found, one) for one in named]):
            request = with_next(in_full(field, around), request)
    except Unusable as refusal:
        return refuse(str(refusal))
    return Outcome(request=request)


def in_full(found: Found, around: Circumstances) -> NewRequest:
    """The picture of a field by itself. Raises :class:`Unusable`."""
    request = again_request.again(
        DrawOptions(seed="same", count=1),
        found.record,
        around,
        new_seed=new_seed(),
        other=new_seed(),
        start=found.start,
    )
    body = dict(request.body or {})
    if found.image is not None:
        body["drawn_before"] = found.image
    return replace(request, body=body)


def with_next(request: NewRequest, following: NewRequest | None) -> NewRequest:
    """``following`` is asked for once the picture of ``request`` stands in the room."""
    if following is None:
        return request
    then = {"body": following.body, "asked": following.asked, "notes": list(following.notes)}
    return replace(request, body={**(request.body or {}), "then": then})


def upscaled(options: DrawOptions, found: Found, around: Circumstances) -> NewRequest:
    """The picture of a field in full, and then larger: what it begins with stands in the room, so that it can be made
    again. Raises :class:`Unusable`."""
    larger = again_request.upscaled(options, found.record, around, new_seed=new_seed(), other=new_seed(), start=CHOSEN)
    return with_next(in_full(found, around), larger)


async def behind(services: Services, message: Message, intent: Intent, command: Command) -> tuple[Intent, Found | None]:
    """The field of a sheet that is named behind a command, and what else was typed there. ``None``: no field, or the
    picture that it is about is no sheet.

    Raises :class:`Unusable`, and :class:`~..errors.Unanswered`.
    """
    named, rest = leading(intent.typed)
    if named is None:
        return intent, None
    try:
        found = await find_drawn(services, message)
    except Unusable:
        return intent, None  # the command itself says what is wrong
    except MatrixError as error:
        raise Unanswered(type(error).__name__, sentence=texts.PICTURE_AWAY) from None
    if found is None or found.sheet is None:
        return intent, None
    return replace(command.reads(command.name, rest), typed=rest), field_of(found, named)


def only_one(found: Found) -> Found | None:
    """The one picture that a sheet shows, where all others have failed; ``None``: it shows several."""
    sheet = found.sheet
    drawn = [] if sheet is None else [index for index, one in enumerate(sheet.fields) if one.record is not None]
    return field_of(found, numbered(drawn[0])) if len(drawn) == 1 else None


def field_of(found: Found, named: Field) -> Found:
    """What the field of a sheet shows, as if it had been found by itself. Raises :class:`Unusable`."""
    sheet = found.sheet
    assert sheet is not None
    index = named.index(sheet.columns)
    if index is None or index >= len(sheet.fields):
        raise Unusable(texts.no_such_field(named.said, len(sheet.fields)))
    field = sheet.fields[index]
    if field.record is None:
        raise Unusable(texts.field_is_empty(named.said, field.absent))
    if not field.record:
        raise Unusable(texts.FIELD_TOO_LONG)
    return replace(found, record=field.record, sheet=None, sweep=None, image=field.image if found.ours else None)
