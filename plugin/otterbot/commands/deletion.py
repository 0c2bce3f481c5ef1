"""❌ deletes what the bot has posted: a chat's answer, or a picture with its file and its copy in the gallery.

A homeserver keeps the edits of what was redacted, so every edit is redacted as well.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import MatrixRefused
from ..requests.completion import unsend, unsend_copy
from ..store.part_names import COPY, FINAL, IN_ROOM, PLACEHOLDER, PartName
from ..store.rows import Kind, Part, PartState, Rank, copy_key
from .outcome import Outcome
from .posted_picture import picture_in
from .reacted import Reacted
from .services import Services

GONE = (PartState.FAILED, PartState.DROPPED)
PAGES = 3
"""Of edits, a hundred each; an answer has fewer."""


async def delete_answer(services: Services, reacted: Reacted) -> Outcome | None:
    """All of the answer: its messages, its file, and every edit by which it grew."""
    request = reacted.request
    if request is None:
        return None
    standing = await services.store.parts_of(request.key)
    unwanted = [
        unsend(request, part)
        for name, part in standing.items()
        if (name.is_answer or name == FINAL) and IN_ROOM not in name and part.state is PartState.SENT
        and part.event_id is not None and part.room_id == request.room_id and name.unsend() not in standing
    ]  # fmt: skip
    if not unwanted:
        return None
    known = {part.event_id for part in standing.values()}
    placeholder = standing.get(PLACEHOLDER)
    if placeholder is not None and placeholder.event_id is not None:
        edits = await _edits(services, placeholder.room_id, placeholder.event_id)
        unwanted += [_edit(request.key, placeholder.room_id, one) for one in edits if one not in known]
    return Outcome(parts=tuple(unwanted))


async def delete_picture(services: Services, reacted: Reacted) -> Outcome | None:
    """That one picture, whatever else its request has drawn or still draws."""
    picture = None if reacted.event is None else picture_in(reacted.event, reacted.room)
    if picture is None or picture.event_id is None:
        return None
    message = Part(
        key=picture.key,
        part=picture.part.unsend(),
        room_id=picture.room_id,
        kind=Kind.REDACTION,
        rank=Rank.REFUSAL,
        content={"redacts": picture.event_id},
    )
    edits = await _edits(services, picture.room_id, picture.event_id)
    parts = [message, *(_edit(picture.key, picture.room_id, one) for one in edits)]
    if not picture.part.shows:
        return Outcome(parts=tuple(parts))
    film = await services.store.part(picture.key, PartName.film(picture.part.number))
    if film is not None and film.state not in GONE and film.room_id == picture.room_id:
        parts.append(replace(message, part=film.part.unsend(), content={"of": film.part}))
    copy = await services.store.part(copy_key(str(services.client.mxid), picture.event_id), COPY)
    if copy is not None and copy.state not in GONE:
        parts.append(unsend_copy(copy))
    return Outcome(parts=tuple(parts), discarded=picture)


def _edit(key: str, room: str, event_id: str) -> Part:
    return Part(
        key=key,
        part=PartName.edit(event_id).unsend(),
        room_id=room,
        kind=Kind.REDACTION,
        rank=Rank.EDIT,
        content={"redacts": event_id},
    )


async def _edits(services: Services, room: str, event_id: str) -> list[str]:
    """Our own edits of a message."""
    found, start = list[str](), None
    for _ in range(PAGES):
        try:
            events, start = await services.http.relations(room, event_id, "m.replace", start=start)
        except MatrixRefused:
            return found  # a homeserver that knows no relations
        found += [str(event["event_id"]) for event in events if event.get("sender") == services.client.mxid]
        if start is None:
            break
    return list(dict.fromkeys(found))
