"""Finding a picture of ours in a room: in the events themselves, so that it works with a new database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .. import texts
from ..errors import MatrixRefused
from ..language.message import Message, event_id_in
from ..matrix import event_content
from ..matrix.encryption import KeyMissing
from ..requests.input_images import NoStart, look
from ..requests.sheet_fields import sheet_in
from ..store.rows import Request
from .found import Found, found_in, not_drawn_yet
from .outcome import Unusable
from .picture_event import START_PATIENCE, read_event, record_of
from .services import Services

PAGES = 5
"""Pages (of 100 events of the bot) that are searched for the last picture."""
UPGRADES = 5
"""Upgrades of a room that are followed back for it."""


async def find_start(services: Services, message: Message, notes: list[str]) -> str | None:
    """The event with the picture that ``message`` is the caption of, a reply to, or typed in a thread on; ``None`` if
    it is none of these. ``notes`` get a sentence where a thread's picture is not used.

    Raises as :func:`find_record`.
    """
    target = message.event_id if message.is_media else await _meant(services, message.room_id, message.reply_to)
    try:
        if target is not None and await _shows(services, message.room_id, target):
            if await is_sheet(services, message.room_id, target):
                raise Unusable(texts.sheet_is_no_start(services.config.current.prefix))
            return target
        if message.thread_root is not None and not message.is_media:
            return await thread_start(services, message.room_id, message.thread_root, notes)
        return None
    except NoStart as reason:
        raise Unusable(str(reason)) from None


async def find_picture(
    services: Services, message: Message, none: str | None = None
) -> tuple[str, Mapping[str, Any] | None]:
    """The event of the picture that ``message`` is the caption of, or a reply to, or that its thread is about, or of
    the room's last one of ours; and what it says of how it was made, of which nothing is to be believed. ``none`` is
    said where the message replied to shows none.

    Raises as :func:`find_record`.
    """
    room, prefix = message.room_id, services.config.current.prefix
    target = message.event_id if message.is_media else await _meant(services, room, message.reply_to)
    try:
        for event_id in () if target is None else (target, await picture_of(services, room, target)):
            if event_id is not None and await _shows(services, room, event_id):
                return event_id, record_of(await read_event(services, room, event_id))
        if message.thread_root is not None:
            found = await thread_picture(services, room, message.thread_root)
            if found is not None:
                return found, record_of(await read_event(services, room, found))
    except NoStart as reason:
        raise Unusable(str(reason)) from None
    if target is not None:
        raise Unusable(none or texts.upscale_needs_a_picture(prefix))
    last = await _last(services, room)
    if last is None or last.event is None:
        raise Unusable(texts.no_picture(prefix))
    return last.event, last.record


async def is_sheet(services: Services, room: str, event_id: str) -> bool:
    """Is it a contact sheet of the bot's?"""
    event = await read_event(services, room, event_id)
    return event is not None and event.get("sender") == services.client.mxid and sheet_in(event) is not None


async def _meant(services: Services, room: str, event_id: str | None) -> str | None:
    """The event with the picture that somebody means by that one: a film means its picture, what is shown of a picture
    while it is drawn means that picture. Raises :class:`Unusable` where it is not there yet."""
    if event_id is None:
        return None
    if await _watched(services, event_id) is not None:
        if (picture := await picture_of(services, room, event_id)) is None:
            raise Unusable(texts.STILL_DRAWN)
        return picture
    return event_content.film_of(await read_event(services, room, event_id), str(services.client.mxid)) or event_id


async def _watched(services: Services, event_id: str) -> Request | None:
    """The request whose picture that message shows, or showed, while it is drawn."""
    part = await services.store.part_by_event(event_id)
    return None if part is None or not part.part.is_preview else await services.store.request(part.key)


async def _shows(services: Services, room: str, event_id: str) -> bool:
    """Does the event show a picture? Raises :class:`~..requests.input_images.NoStart`."""
    return await look(services.http, services.encryption, room, event_id, patience=START_PATIENCE) is not None


async def find_record(services: Services, message: Message) -> Found:
    """The record of the picture that ``message`` replies to, or that its thread is about, or of the room's last one.

    What the same person is still waiting for counts as drawn: people type `again` while they wait.
    Raises :class:`Unusable` with the sentence for people, and
    :class:`~..errors.MatrixError` if the homeserver does not answer.
    """
    prefix = services.config.current.prefix
    if message.reply_to is not None:
        found = await _replied_to(services, message.room_id, message.reply_to)
        if found is not None:
            return found
        if message.thread_root is None:
            raise Unusable(texts.not_a_picture(prefix))
    if message.thread_root is not None:
        in_thread = await thread_record(services, message.room_id, message.thread_root)
        if in_thread is not None:
            return in_thread
    if (waiting := await _waiting(services, message.room_id, message.sender)) is not None:
        return waiting
    found = await _last(services, message.room_id) or await _waiting(services, message.room_id, None)
    found = found or await _before(services, message.room_id)
    if found is None:
        raise Unusable(texts.no_picture(prefix))
    return found


async def find_drawn(services: Services, message: Message) -> Found | None:
    """The record of the picture that ``message`` replies to, or that its thread is about, or of the room's last one.
    What is not drawn yet does not count. ``None``: there is none.

    Raises as :func:`find_record`.
    """
    room, root = message.room_id, message.thread_root
    if message.reply_to is not None:
        return await _replied_to(services, room, message.reply_to)
    if root is not None and (found := await thread_record(services, room, root, waiting=False)) is not None:
        return found
    return await _last(services, room) or await _before(services, room)


async def thread_start(services: Services, room: str, root: str, notes: list[str]) -> str | None:
    """The picture that a thread hangs on. One on a video, or on what nobody can read, is a thread like others.

    Raises :class:`~..requests.input_images.NoStart` for a picture that cannot be used.
    """
    try:
        shown = await _meant(services, room, root) or root
        return shown if await _shows(services, room, shown) else None
    except NoStart as reason:
        if str(reason) in (texts.START_DELETED, texts.START_UNREADABLE):
            notes.append(texts.THREAD_NOT_USED)
        elif str(reason) != texts.START_NO_PICTURE:
            raise
        return None


async def thread_picture(services: Services, room: str, root: str) -> str | None:
    """The event of the picture that a thread hangs on, else of the last one of ours in there; ``None``: of none.

    Raises :class:`~..requests.input_images.NoStart` where nobody can tell.
    """
    try:
        shown = await _meant(services, room, root) or root
        if await _shows(services, room, shown):
            return shown
    except NoStart as reason:
        if str(reason) != texts.START_NO_PICTURE:
            raise
    return next(iter(await _drawn_in(services, room, root)), None)


async def thread_record(services: Services, room: str, root: str, *, waiting: bool = True) -> Found | None:
    """The record of the picture that a thread hangs on, else of the last one of ours in there; ``None``: of none.
    ``waiting``: what waits counts as drawn.

    Raises as :func:`find_record`.
    """
    event = await read_event(services, room, root)
    if (found := found_in(services, event)) is not None:
        return found
    if (picture := event_content.film_of(event, str(services.client.mxid))) is not None:
        return found_in(services, await read_event(services, room, picture))
    for place in await _drawn_in(services, room, root):
        if (found := found_in(services, await read_event(services, room, place))) is not None:
            return found
    drawn = await services.store.last_drawn_in(room, root)
    if waiting and drawn is not None and drawn.open:
        return not_drawn_yet(drawn)
    if event is None:
        raise Unusable(texts.PICTURE_UNREADABLE)
    content = event.get("content")
    if isinstance(content, Mapping) and content.get("msgtype") == "m.image":
        raise Unusable(texts.thread_of_another_picture(services.config.current.prefix))
    return None


async def _last(services: Services, room: str) -> Found | None:
    """The bot's last picture in the room."""
    last = await services.store.last_picture(room)
    found = None if last is None else found_in(services, await read_event(services, room, last))
    if found is not None:
        return replace(found, event=last)
    return await _walk(services, room)


async def _before(services: Services, room: str, left: int = UPGRADES) -> Found | None:
    """The last picture of the room that this one replaces. What it was drawn from stays there; and nothing comes out
    of an encrypted room into one that is not."""
    older = None if services.settings.predecessors is None else await services.settings.predecessors.of(room)
    if older is None or left == 0:
        return None
    try:
        if await services.encryption.is_encrypted(older) and not await services.encryption.is_encrypted(room):
            return None
        found = await _last(services, older)
    except MatrixRefused:
        return None
    if found is None:
        return await _before(services, older, left - 1)
    return Found(record=found.record, ours=found.ours, sheet=found.sheet, sweep=found.sweep)


async def _waiting(services: Services, room: str, sender: str | None) -> Found | None:
    """The newest open request for pictures, in the form of a record."""
    found = await services.store.open_requests(room, sender)
    one = next((one for one in reversed(found) if one.kind == "image"), None)
    return None if one is None else not_drawn_yet(one)


async def _replied_to(services: Services, room: str, event_id: str) -> Found | None:
    """The picture that a message replies to; ``None`` if it is none of the bot's, nor about one."""
    event = await read_event(services, room, event_id)
    found = found_in(services, event)
    if found is not None:
        return found
    # A reply to the request, or to a message about it, means its picture; one to a film that of the film.
    picture = event_content.film_of(event, str(services.client.mxid)) or await picture_of(services, room, event_id)
    if picture is None and (request := await _watched(services, event_id)) is not None and request.open:
        return not_drawn_yet(request)
    found = found_in(services, await read_event(services, room, picture)) if picture is not None else None
    if found is not None:
        return found
    if event is None:
        raise Unusable(texts.PICTURE_UNREADABLE)
    return None


async def _drawn_in(services: Services, room: str, root: str) -> list[str]:
    """The bot's pictures of a thread: its root's, and the last one requested in it."""
    drawn = await services.store.last_drawn_in(room, root)
    of_it = None if drawn is None else await _part_of(services, room, drawn)
    return [place for place in (await picture_of(services, room, root), of_it) if place is not None]


async def picture_of(services: Services, room: str, event_id: str) -> str | None:
    """The last picture of the request that the event made, or is about."""
    request = await services.store.request_by_event(event_id)
    if request is None and (part := await services.store.part_by_event(event_id)) is not None:
        request = await services.store.request(part.key)
    return None if request is None else await _part_of(services, room, request)


async def _part_of(services: Services, room: str, request: Request) -> str | None:
    parts = await services.store.parts_of(request.key)
    pictures = [part for name, part in sorted(parts.items()) if name.shows and part.room_id == room]
    return next((part.event_id for part in reversed(pictures) if part.event_id is not None), None)


async def _walk(services: Services, room: str) -> Found | None:
    wanted = {"senders": [str(services.client.mxid)], "types": ["m.room.message", "m.room.encrypted"]}
    start: str | None = None
    for _ in range(PAGES):
        events, start = await services.http.messages(room, start=start, event_filter=wanted)
        for raw in events:
            try:
                found = found_in(services, await services.encryption.readable(raw))
            except KeyMissing:
                continue
            if found is not None and raw.get("sender") == services.client.mxid:
                return replace(found, event=event_id_in(raw.get("event_id")))
        if start is None:
            return None
    return None
