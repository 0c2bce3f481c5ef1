"""What follows from reactions on answers of chats: 🔁 asks again, ❌ deletes."""

from __future__ import annotations

from dataclasses import replace

from ..chat.entries import AGAIN
from ..chat.pace import PACE, Pace, answered_at, next_pace
from ..errors import MatrixRefused
from ..requests.completion import unsend
from ..store.part_names import FINAL, IN_ROOM, PLACEHOLDER, PartName
from ..store.rows import Kind, Part, PartState, Rank, Request
from .outcome import Outcome
from .reacted import Reacted
from .services import Services

PAGES = 3
"""Of edits, a hundred each; an answer has fewer."""


async def once_more(services: Services, reacted: Reacted) -> Outcome | None:
    """The same question, if it is not being answered already, and at a pace that people have."""
    request = reacted.request
    if request is None or not services.config.current.chat.enabled or request.moved:
        return None
    newest = await services.store.request_by_event(request.event_id)
    if newest is None or newest.open:
        return None
    pace = await _pace(services, request)
    if pace.inhuman:
        return None
    asked = {name: value for name, value in request.asked.items() if name != PACE} | {AGAIN: True}
    if pace != Pace():
        asked[PACE] = pace.stored()
    return Outcome(again=replace(request, asked=asked))


async def _pace(services: Services, request: Request) -> Pace:
    last = await services.store.last_turn(request.room_id, request.sender)
    parts = {} if last is None else await services.store.parts_of(last.key)
    answered = None if last is None else answered_at(last, parts.values())
    return next_pace(last, answered, services.store.clock.now())


async def delete(services: Services, reacted: Reacted) -> Outcome | None:
    """All of the answer: its messages, its file, and every edit by which it grew, since a homeserver keeps the edits
    of what was redacted."""
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
    edits = [event_id for event_id in await _edits(services, standing.get(PLACEHOLDER)) if event_id not in known]
    unwanted += [
        Part(
            key=request.key,
            part=PartName.edit(event_id).unsend(),
            room_id=request.room_id,
            kind=Kind.REDACTION,
            rank=Rank.EDIT,
            content={"redacts": event_id},
        )
        for event_id in edits
    ]
    return Outcome(parts=tuple(unwanted))


async def _edits(services: Services, placeholder: Part | None) -> list[str]:
    """Our own edits of the message in which an answer grew."""
    found, start = list[str](), None
    if placeholder is None or placeholder.event_id is None:
        return found
    for _ in range(PAGES):
        try:
            events, start = await services.http.relations(
                placeholder.room_id, placeholder.event_id, "m.replace", start=start
            )
        except MatrixRefused:
            return found  # a homeserver that knows no relations
        found += [str(event["event_id"]) for event in events if event.get("sender") == services.client.mxid]
        if start is None:
            break
    return list(dict.fromkeys(found))
