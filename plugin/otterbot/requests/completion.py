"""Ends requests in the database, in the room and in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .. import texts
from ..matrix import event_content
from ..outbox.queue import Outbox
from ..store.part_names import (
    ACK,
    DONE,
    FINAL,
    NO_ENCRYPTION,
    STATUS,
    STATUS_EDIT,
    STATUS_FINAL,
    UNACK,
    PartName,
)  # fmt: skip
from ..store.quotas import Follow
from ..store.request_store import Finished
from ..store.rows import Kind, Part, PartState, Rank, Request, RequestState
from ..store.store import Store
from .active import ActiveRequest, RequestEnd
from .active import Kind as RequestKind
from .active_requests import ActiveRequests
from .signals import Signals

REPLACED = "replaced"
"""The outcome of a request whose message was edited: another request takes its place."""


def part(request: Request, name: PartName, kind: Kind, rank: Rank, content: dict[str, Any]) -> Part:
    return Part(key=request.key, part=name, room_id=request.room_id, kind=kind, rank=rank, content=content)


def unsend(request: Request, sent: Part) -> Part:
    """The redaction of a result that is no longer wanted; it waits until the result is in the room."""
    redaction = part(request, sent.part.unsend(), Kind.REDACTION, Rank.REFUSAL, {"of": sent.part})
    return replace(redaction, room_id=sent.room_id)


def unsend_copy(copy: Part) -> Part:
    """The redaction of a picture's copy in the gallery; it waits until the copy stands there."""
    return replace(
        copy,
        part=copy.part.unsend(),
        kind=Kind.REDACTION,
        rank=Rank.REFUSAL,
        state=PartState.READY,
        content={"of": copy.part},
        event_id=None,
    )


async def closing(store: Store, outbox: Outbox, request: Request, ending: RequestEnd) -> list[Part]:
    """The parts at the end: what was shown meanwhile is redacted, the final reaction, the redaction of ⏳, the short
    last status."""
    standing = await store.parts_of(request.key)
    parts = await _previews_away(outbox, request, standing)  # before ✅, which says that nothing is left to be done
    if ending.outcome != REPLACED and request.reaction is None:
        emoji = texts.DONE if ending.well else texts.FAILED
        reaction = event_content.reaction(request.key, DONE, request.event_id, emoji)
        done = part(request, DONE, Kind.REACTION, Rank.REACTION, reaction)
        parts.append(replace(done, room_id=request.origin))
    if ACK in standing and not await _taken_back(outbox, standing[ACK]):
        unack = part(request, UNACK, Kind.REDACTION, Rank.REACTION, {"of": ACK})
        parts.append(replace(unack, room_id=standing[ACK].room_id))
    outbox.drop_edit(request.key, STATUS_EDIT)
    if STATUS in standing and not await _taken_back(outbox, standing[STATUS]):
        line = texts.for_whom(ending.line, request.reaction, request.sender)
        content = await event_content.notice(line, request.key, STATUS_FINAL, None)
        inner = {"of": STATUS, "content": content}
        final = part(request, STATUS_FINAL, Kind.EDIT, Rank.EDIT, inner)
        parts.append(replace(final, room_id=standing[STATUS].room_id))
    return parts


async def _previews_away(outbox: Outbox, request: Request, standing: Mapping[PartName, Part]) -> list[Part]:
    """The redactions of what was shown meanwhile: of the message, and of its edits, since a homeserver keeps the edits
    of what was redacted."""
    shown = [one for name, one in standing.items() if name.is_preview and not await _taken_back(outbox, one)]
    redactions = [unsend(request, one) for one in shown]
    return [
        replace(one, rank=Rank.REACTION if one.part == PartName.preview(0).unsend() else Rank.EDIT)
        for one in redactions
    ]


async def _taken_back(outbox: Outbox, standing: Part) -> bool:
    if standing.state in (PartState.FAILED, PartState.DROPPED):
        return True
    return standing.state is PartState.READY and await outbox.withdraw(*standing.id)


def no_encryption(unsent: Part, request: Request | None) -> Part:
    """The fixed sentence, unencrypted, in place of a message with somebody's words."""
    content: dict[str, Any] = {
        "msgtype": "m.notice",
        "body": texts.NO_ENCRYPTION,
        "m.mentions": {},
        event_content.OUR_KEY: event_content.ours(unsent.key, NO_ENCRYPTION),
    }
    if request is not None:
        content |= event_content.related(request)
    return Part(key=unsent.key, part=NO_ENCRYPTION, room_id=unsent.room_id, content=content)


class Completion:
    """Owned by delivery."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        active: ActiveRequests,
        kinds: Mapping[str, RequestKind],
        signals: Signals,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._active = active
        self._kinds = kinds
        self._signals = signals

    async def end_with(
        self, active: ActiveRequest, outcome: str, text: str, *, cancel_owed: bool = False, follow: Follow | None = None
    ) -> Finished:
        """End a request unsuccessfully, with one plain sentence."""
        content = await event_content.notice(text, active.key, FINAL, active.request)
        if active.relation is not None:
            content["m.relates_to"] = active.relation
        final = part(active.request, FINAL, Kind.MESSAGE, Rank.REFUSAL, content)
        ending = RequestEnd(
            outcome=outcome, well=False, line=text, parts=[final], cancel_owed=cancel_owed, follow=follow
        )
        return await self.end(active, ending)

    async def end(self, active: ActiveRequest, ending: RequestEnd) -> Finished:
        """Mark a request ``done``, and store its last messages and what follows in one transaction."""
        if not active.open:
            return Finished(done=False)
        await active.fall_silent()
        try:
            parts = [*ending.parts, *await closing(self._store, self._outbox, active.request, ending)]
            done = await self._store.finish(
                active.key, ending.outcome, parts, cancel_owed=ending.cancel_owed, follow=ending.follow
            )
            self._outbox.enqueue(done.parts)
        except Exception:
            active.ending = False
            raise
        await self.close(active, ending)
        return done

    async def close(self, active: ActiveRequest, ending: RequestEnd) -> None:
        """The request is ``done`` in the database: stop everything else of it."""
        active.request = replace(active.request, state=RequestState.DONE, outcome=ending.outcome)
        self._active.remove(active.key)
        active.done.set()
        active.changed.set()
        await self._kinds[active.request.kind].ended(active, ending)
        for task in active.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._signals.submit.ring()
        self._signals.housekeeping.set()
