"""What reactions lead to: 🔁 on an answer asks again, ❌ or 🛑 stops what is under way, ❌ on an answer deletes it.

Only those of the person who asked, and of moderators. Of anybody else's, and of any other emoji, nothing follows:
people also react to say what they think.
"""

from __future__ import annotations

from dataclasses import replace

from ..chat.entries import AGAIN
from ..chat.pace import PACE, Pace, answered_at, next_pace
from ..errors import MatrixRefused
from ..language.reaction import Reaction
from ..requests.completion import unsend
from ..store.part_names import FINAL, IN_ROOM, PLACEHOLDER, PartName
from ..store.rows import Kind, Part, PartState, Rank, Request
from .cancel import CANCEL
from .outcome import Outcome
from .services import Services

ANEW = frozenset("🔁🔄")
DELETE = "❌"
PAGES = 3
"""Of edits, a hundred each; an answer has fewer."""
STOP = frozenset((DELETE, "🛑"))


async def react(services: Services, reaction: Reaction) -> Outcome | None:
    """``None``: nothing follows from it.

    Raises a :class:`~..errors.MatrixError` where the homeserver does not say who may what.
    """
    if reaction.emoji not in ANEW | STOP or not services.permissions.may_use(reaction.sender):
        return None
    part = await services.store.part_by_event(reaction.target)
    request = await _request(services, reaction, part)
    if request is None or not await _may(services, reaction, request):
        return None
    if request.open:
        return Outcome(cancel=(request.key,)) if reaction.emoji in STOP else None
    if request.kind != "chat" or part is None or not (part.part.is_answer or part.part == FINAL):
        return None
    if reaction.emoji in ANEW:
        return await _once_more(services, request)
    return await _delete(services, request) if reaction.emoji == DELETE else None


async def _request(services: Services, reaction: Reaction, part: Part | None) -> Request | None:
    """What the message asks for, or belongs to."""
    if part is None:
        request = await services.store.request_by_event(reaction.target)
    else:
        request = await services.store.request(part.key)
    return request if request is not None and request.room_id == reaction.room_id else None


async def _may(services: Services, reaction: Reaction, request: Request) -> bool:
    if reaction.sender == request.sender:
        return True
    level = CANCEL.level(services.config.current)
    return await services.permissions.has_power(reaction.room_id, reaction.sender, level)


async def _once_more(services: Services, request: Request) -> Outcome | None:
    """The same question, if it is not being answered already, and at a pace that people have."""
    if not services.config.current.chat.enabled or request.moved:
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


async def _delete(services: Services, request: Request) -> Outcome | None:
    """All of the answer: its messages, its file, and every edit by which it grew, since a homeserver keeps the edits
    of what was redacted."""
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
