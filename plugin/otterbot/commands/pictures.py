"""Finding a picture of ours in a room: in the events themselves, so that it works with a new database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .. import texts
from ..contents import OUR_KEY
from ..encryption import KeyMissing
from ..errors import MatrixRefused
from ..message import Message, event_id_in
from ..outcome import Unusable
from ..services import Services
from ..starts import NoStart, look, start_event

START_PATIENCE = 3.0
"""Seconds to wait for the room key of a picture's message: what else is said in the room waits as long."""
PAGES = 5
"""How many hundred of the bot's events are looked through for the last picture."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A picture's record, of which nothing is to be believed, and the event that it was drawn from, if we said so."""

    record: Mapping[str, Any]
    start: str | None = None
    event: str | None = None
    """Its own, where it is the room's last."""


async def find_start(services: Services, message: Message) -> str | None:
    """The event with the picture that ``message`` is the caption of, or a reply to; ``None`` if it is neither.

    Raises as :func:`find_record`.
    """
    target = message.event_id if message.is_media else message.reply_to
    if target is None:
        return None
    try:
        found = await look(services.http, services.encryption, message.room_id, target, patience=START_PATIENCE)
    except NoStart as reason:
        raise Unusable(str(reason)) from None
    return None if found is None else target


async def find_picture(services: Services, message: Message) -> tuple[str, Mapping[str, Any] | None]:
    """The event of the picture that ``message`` is the caption of, or a reply to, or of the room's last one of ours;
    and what it says of how it was made, of which nothing is to be believed.

    Raises as :func:`find_record`.
    """
    room, prefix = message.room_id, services.config.current.prefix
    target = message.event_id if message.is_media else message.reply_to
    if target is None:
        last = await _last(services, room)
        if last is None or last.event is None:
            raise Unusable(texts.no_picture(prefix))
        return last.event, last.record
    for event_id in (target, await _picture_of(services, room, target)):
        if event_id is None:
            continue
        try:
            shown = await look(services.http, services.encryption, room, event_id, patience=START_PATIENCE)
        except NoStart as reason:
            raise Unusable(str(reason)) from None
        if shown is not None:
            return event_id, record_of(await _event(services, room, event_id))
    raise Unusable(texts.upscale_needs_a_picture(prefix))


async def find_record(services: Services, message: Message) -> Found:
    """The record of the picture that ``message`` replies to, or of the room's last one.

    What the same person is still waiting for counts as drawn: people type `again` while they wait.
    Raises :class:`Unusable` with the sentence for people, and
    :class:`~..errors.MatrixError` if the homeserver does not answer.
    """
    prefix = services.config.current.prefix
    if message.reply_to is not None:
        return await _replied_to(services, message.room_id, message.reply_to)
    if (waiting := await _waiting(services, message.room_id, message.sender)) is not None:
        return waiting
    found = await _last(services, message.room_id) or await _waiting(services, message.room_id, None)
    if found is None:
        raise Unusable(texts.no_picture(prefix))
    return found


async def _last(services: Services, room: str) -> Found | None:
    """The room's last picture of ours."""
    last = await services.store.last_picture(room)
    found = None if last is None else _found(services, await _event(services, room, last))
    if found is not None:
        return replace(found, event=last)
    return await _walk(services, room)


async def _waiting(services: Services, room: str, sender: str | None) -> Found | None:
    """The newest open request for pictures, in the form of a record."""
    found = await services.store.open_requests(room, sender)
    one = next((one for one in reversed(found) if one.kind == "image"), None)
    if one is None:
        return None
    return Found(record={"used": one.body, "asked": one.asked}, start=start_event(one.body))


def _found(services: Services, event: Mapping[str, Any] | None) -> Found | None:
    """What a picture's event says. Only ours may name the event to start from."""
    record = record_of(event)
    if record is None or event is None:
        return None
    start = event["content"][OUR_KEY].get("start") if event.get("sender") == services.client.mxid else None
    return Found(record=record, start=event_id_in(start))


def record_of(event: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The record in a (readable) picture event. Nothing in it is to be believed."""
    content = event.get("content") if event is not None else None
    if not isinstance(content, Mapping) or content.get("msgtype") != "m.image":
        return None
    ours = content.get(OUR_KEY)
    record = ours.get("record") if isinstance(ours, Mapping) else None
    return record if isinstance(record, Mapping) else None


async def _replied_to(services: Services, room: str, event_id: str) -> Found:
    event = await _event(services, room, event_id)
    found = _found(services, event)
    if found is not None:
        return found
    # A reply to the request itself, or to what we said about it, means its picture.
    picture = await _picture_of(services, room, event_id)
    found = _found(services, await _event(services, room, picture)) if picture is not None else None
    if found is not None:
        return found
    if event is None:
        raise Unusable(texts.PICTURE_UNREADABLE)
    raise Unusable(texts.not_a_picture(services.config.current.prefix))


async def _picture_of(services: Services, room: str, event_id: str) -> str | None:
    request = await services.store.request_by_event(event_id)
    key = request.key if request is not None else None
    if key is None and (part := await services.store.part_by_event(event_id)) is not None:
        key = part.key
    if key is None:
        return None
    parts = await services.store.parts_of(key)
    pictures = [part for name, part in sorted(parts.items()) if name.startswith("picture/") and part.room_id == room]
    return next((part.event_id for part in reversed(pictures) if part.event_id is not None), None)


async def _event(services: Services, room: str, event_id: str) -> Mapping[str, Any] | None:
    """The event, decrypted; ``None`` if nobody can read it or it is not there."""
    try:
        return await services.encryption.readable(await services.http.event(room, event_id))
    except (KeyMissing, MatrixRefused):  # refused for good: not there, not for us
        return None


async def _walk(services: Services, room: str) -> Found | None:
    wanted = {"senders": [str(services.client.mxid)], "types": ["m.room.message", "m.room.encrypted"]}
    start: str | None = None
    for _ in range(PAGES):
        events, start = await services.http.messages(room, start=start, event_filter=wanted)
        for raw in events:
            try:
                found = _found(services, await services.encryption.readable(raw))
            except KeyMissing:
                continue
            if found is not None and raw.get("sender") == services.client.mxid:
                return replace(found, event=event_id_in(raw.get("event_id")))
        if start is None:
            return None
    return None
