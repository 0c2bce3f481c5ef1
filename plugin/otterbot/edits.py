"""Edits of messages: whose they are, where they stand, and what they change."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from . import texts
from .delivery import Delivery
from .errors import MatrixRefused
from .matrix_http import MatrixHttp
from .message import Message, relations
from .outcome import Outcome, say
from .records import Request, RequestState
from .store import Store
from .waiting import surely

NEVER_BEGUN = frozenset({"cancelled", "refused", "expired"})
"""Outcomes after which an edit is a new attempt."""


class Edits:
    """What an edit of a message leads to. One per plugin instance; keeps nothing."""

    def __init__(
        self,
        http: MatrixHttp,
        store: Store,
        delivery: Delivery,
        handle: Callable[[Message], Awaitable[Outcome | None]],
        log: logging.Logger,
    ) -> None:
        self._http = http
        self._store = store
        self._delivery = delivery
        self._handle = handle
        self._log = log

    async def superseded(self, message: Message) -> bool:
        """It comes behind an edit of it (its room key came late), and what that asks for stands in its place."""
        return await surely(lambda: self._store.request_by_event(message.event_id), self._log) is not None

    async def in_place(self, edit: Message) -> Message | None:
        """The edit with the thread and the reply of what it edits, which it does not repeat.

        ``None`` if it is not to count: nobody changes what others said, and an edit is not edited. Homeservers let
        such events pass, and people's clients do not show them.
        """
        old = await surely(lambda: self._store.request_by_event(edit.event_id), self._log)
        if old is not None:
            if old.sender != edit.sender or old.room_id != edit.room_id:
                return None
            thread, reply = old.thread_root, old.reply_to
        else:
            original = await surely(lambda: self._original(edit), self._log)
            relation = _mapping(_mapping(original.get("content")).get("m.relates_to"))
            if original.get("sender") != edit.sender or relation.get("rel_type") == "m.replace":
                return None
            thread, reply = relations(relation)
        return replace(edit, thread_root=edit.thread_root or thread, reply_to=edit.reply_to or reply)

    async def _original(self, edit: Message) -> Mapping[str, Any]:
        try:
            return await self._http.event(edit.room_id, edit.event_id)
        except MatrixRefused:
            return {}

    async def outcome(self, edit: Message) -> Outcome | None:
        """An edit of a request that still waits replaces it; a later one gets a sentence. One that comes behind an
        edit which was typed after it (its room key came late) is no longer what stands in the room."""
        old = await self._store.request_by_event(edit.event_id)
        if old is not None and old.edit_id and old.sent_at is not None and edit.timestamp / 1000 < old.sent_at:
            return None
        if old is None or old.outcome in NEVER_BEGUN:
            return await self._handle(edit)
        if not self._waits(old):
            return say(texts.EDIT_TOO_LATE)
        outcome = await self._handle(edit)
        if outcome is None:
            return Outcome(cancel=(old.key,))  # it is no command any more
        return replace(outcome, cancel=(*outcome.cancel, old.key)) if outcome.request is not None else outcome

    def _waits(self, request: Request) -> bool:
        if request.state is not RequestState.SUBMITTED:
            return request.state is RequestState.KEPT
        live = self._delivery.live(request.key)
        return live is not None and live.job is not None and live.job.state == "queued"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
