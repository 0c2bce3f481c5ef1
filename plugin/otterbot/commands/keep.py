"""⭐ on a picture, or on a sheet with all its pictures, keeps it: the worker does not clear it away; where there is a
gallery, it is copied there once."""

from __future__ import annotations

from .. import texts
from ..errors import MatrixRefused, WorkerError
from ..language.message import thread_of
from ..store.part_names import COPY
from ..store.quotas import DAY
from ..store.room_store import told_as
from ..store.rows import Kept, Part, PartState, Rank, copy_key
from .outcome import Outcome, Reply
from .picture_owner import owner_of
from .posted_picture import picture_in
from .reacted import Reacted
from .services import Services

INFO_SECONDS = 60.0
"""Seconds for which the worker is believed."""


async def keep(services: Services, reacted: Reacted) -> Outcome | None:
    picture = None if reacted.event is None else picture_in(reacted.event, reacted.room)
    if picture is None or picture.event_id is None or reacted.event is None or not picture.part.shows:
        return None  # a copy in the gallery is kept by whoever keeps the picture
    redaction = await services.store.part(picture.key, picture.part.unsend())
    if redaction is not None and redaction.state not in (PartState.FAILED, PartState.DROPPED):
        return None  # it stands there only until the homeserver takes that
    bot = str(services.client.mxid)
    room, trouble = await _gallery(services, reacted.room)
    key = None if room is None else copy_key(bot, picture.event_id)
    kept = Kept(
        event_id=picture.event_id,
        sender=reacted.sender,
        room_id=reacted.room,
        reaction=reacted.reaction.event_id,
        credit=await _name(services, reacted.room, await owner_of(services, reacted)),
        copy=key,
    )
    parts: tuple[Part, ...] = ()
    if room is not None and key is not None and await services.store.part(key, COPY) is None:
        parts = (Part(key=key, part=COPY, room_id=room, rank=Rank.STATUS),)
    gone = await _not_kept(services, reacted.room)
    said = " ".join(one for one in (gone, trouble) if one is not None)
    reply = Reply(text=said, thread=thread_of(reacted.event)) if said else None
    return Outcome(reply=reply, parts=parts, kept=(picture, kept), told=() if gone is None else (gone,))


async def _not_kept(services: Services, room: str) -> str | None:
    """That the worker keeps no pictures of the room, once a day; ``None`` where it does, or nobody can say."""
    if not await services.encryption.is_encrypted(room):
        return None
    try:
        keeps = (await services.worker.info(INFO_SECONDS)).keeps_private
    except WorkerError:
        return None
    known = await services.store.told(room, services.store.clock.now() - DAY)
    return None if keeps or told_as(texts.NOT_KEPT_OF_ENCRYPTED) in known else texts.NOT_KEPT_OF_ENCRYPTED


async def _gallery(services: Services, room: str) -> tuple[str | None, str | None]:
    """The room for the copy, or why there will be none; neither where the operator has no gallery."""
    gallery = services.config.current.gallery_room
    if gallery is None or gallery == room:
        return None, None
    if gallery not in await services.http.joined_rooms():
        return None, texts.NOT_IN_THE_GALLERY
    if await services.encryption.is_encrypted(room) and not await services.encryption.is_encrypted(gallery):
        return None, texts.GALLERY_IS_PLAIN
    return gallery, None


async def _name(services: Services, room: str, user: str | None) -> str:
    """What the room calls them; ``""``: nobody knows who it was."""
    if user is None:
        return ""
    try:
        member = await services.http.state_event(room, "m.room.member", user)
    except MatrixRefused:
        return texts.local_part(user)
    shown = member["content"].get("displayname")
    return shown[:200] if isinstance(shown, str) and shown.strip() else texts.local_part(user)
