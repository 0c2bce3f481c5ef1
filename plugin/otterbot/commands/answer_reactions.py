"""What follows from 🔁 on the answer of a chat: the question is asked again."""

from __future__ import annotations

from dataclasses import replace

from ..chat.entries import AGAIN
from ..chat.pace import PACE, Pace, answered_at, next_pace
from ..store.rows import Request
from .outcome import Outcome
from .reacted import Reacted
from .services import Services


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
