"""⭐ on a picture keeps it: the worker does not clear it away; where there is a gallery, it is copied there once."""

from __future__ import annotations

from .. import texts
from ..errors import MatrixRefused
from ..language.message import thread_of
from ..store.part_names import COPY, PICTURE
from ..store.rows import Kept, Part, PartState, Rank, copy_key
from .outcome import Outcome, Reply
from .picture_owner import owner_of
from .posted_picture import picture_in
from .reacted import Reacted
from .services import Services


async def keep(services: Services, reacted: Reacted) -> Outcome | None:
    picture = None if reacted.event is None else picture_in(reacted.event, reacted.room)
    if picture is None or picture.event_id is None or reacted.event is None or picture.part.family != PICTURE:
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
    reply = None if trouble is None else Reply(text=trouble, thread=thread_of(reacted.event))
    return Outcome(reply=reply, parts=parts, kept=(picture, kept))


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
