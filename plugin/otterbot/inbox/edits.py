"""Edits of messages: whether they are valid, and what they change."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from .. import texts
from ..commands.outcome import Outcome, say
from ..commands.recorded_settings import read_settings
from ..errors import MatrixRefused
from ..language.line import line_of
from ..language.message import Message, relations
from ..language.options import DrawOptions
from ..language.structures import KEYS, Structure
from ..matrix.http import MatrixHttp
from ..requests.delivery import Delivery
from ..store.rows import Request, RequestState
from ..store.store import Store
from ..waiting import surely

NEVER_BEGUN = frozenset({"cancelled", "refused", "expired"})
"""Outcomes after which an edit is a new attempt."""
MOST = 1_000


class Edits:
    """Handles edits. One per plugin instance; remembers only which messages it has answered."""

    def __init__(
        self,
        http: MatrixHttp,
        store: Store,
        delivery: Delivery,
        handle: Callable[[Message], Awaitable[Outcome | None]],
        log: logging.Logger,
        *,
        prefix: Callable[[], str],
    ) -> None:
        self._http = http
        self._store = store
        self._delivery = delivery
        self._handle = handle
        self._log = log
        self._prefix = prefix
        self._told: set[str] = set()

    async def in_place(self, message: Message) -> Message | None:
        """The message to handle; an edit gets the thread and reply of the edited message, which it does not repeat.

        ``None``: ignore it. Ignored are edits of other people's messages and edits of edits: homeservers accept them,
        but clients do not show them. An older edit that arrives after a newer one, because its room key was late, is
        ignored too.
        """
        old = await surely(lambda: self._store.request_by_event(message.event_id), self._log)
        if message.edit_id is None:
            return message if old is None else None
        if old is not None:
            if old.sender != message.sender or old.origin != message.room_id or _is_behind(message, old):
                return None
            thread, reply = old.thread_root, old.reply_to
        else:
            original = await surely(lambda: self._original(message), self._log)
            relation = _mapping(_mapping(original.get("content")).get("m.relates_to"))
            if original.get("sender") != message.sender or relation.get("rel_type") == "m.replace":
                return None
            thread, reply = relations(relation)
        return replace(message, thread_root=message.thread_root or thread, reply_to=message.reply_to or reply)

    async def _original(self, edit: Message) -> Mapping[str, Any]:
        try:
            return await self._http.event(edit.room_id, edit.event_id)
        except MatrixRefused:
            return {}

    async def outcome(self, edit: Message) -> Outcome | None:
        """An edit of a request that still waits replaces it; a later one gets a sentence."""
        old = await self._store.request_by_event(edit.event_id)
        if old is None or old.outcome in NEVER_BEGUN:
            return await self._handle(edit)
        if not self._waits(old):
            return await self._too_late(edit, old)
        outcome = await self._handle(edit)
        if outcome is None:
            return Outcome(cancel=(old.key,))  # the edited message is no command
        return replace(outcome, cancel=(*outcome.cancel, old.key)) if outcome.request is not None else outcome

    async def _too_late(self, edit: Message, old: Request) -> Outcome:
        """A sentence that it is too late, and for a picture what draws it with the new words; once per message:
        bridges edit a message dozens of times."""
        if edit.event_id in self._told:
            return Outcome()
        offered = None if old.kind != "image" else _line_for(await self._handle(edit), old)
        if len(self._told) >= MOST:
            self._told.clear()
        self._told.add(edit.event_id)
        return say(texts.EDIT_TOO_LATE if offered is None else texts.edit_offer(offered, self._prefix()))

    def _waits(self, request: Request) -> bool:
        if request.state is not RequestState.SUBMITTED:
            return request.state is RequestState.KEPT
        active = self._delivery.active(request.key)
        return active is not None and active.job is not None and active.job.state == "queued"


def _is_behind(edit: Message, old: Request) -> bool:
    """True if ``old`` came from a later edit than ``edit``: edits arrive out of order when a room key is late."""
    return bool(old.edit_id) and old.sent_at is not None and edit.timestamp / 1000 < old.sent_at


def _line_for(outcome: Outcome | None, old: Request) -> str | None:
    """What is to be typed for the picture of ``old`` with the words of its edit; ``None``: they are the same, or the
    edit asks for no picture."""
    new = None if outcome is None else outcome.request
    if new is None or new.kind != "image":
        return None
    prompt, before = ((body or {}).get("prompt") for body in (new.body, old.body))
    if not prompt or prompt == before:
        return None
    if (key := _changed_key(new.body or {}, old.body or {})) is not None:
        return f"again {key}"
    line = line_of(replace(read_settings(new.asked) or DrawOptions(), prompt=str(prompt)))
    return f"again --prompt {str(prompt) if line is None else line.removeprefix('draw ')}"


def _changed_key(new: Mapping[str, Any], old: Mapping[str, Any]) -> str | None:
    """``style: oil``: the one key that has another value; ``None``: more than that is another, or there are no keys."""
    before, now = _mapping(old.get("structure")), _mapping(new.get("structure"))
    changed = [name for name in KEYS if before.get(name) != now.get(name)]
    if not before or not now or len(changed) != 1 or new.get("asked") != {**old.get("asked", {}), **_words(new)}:
        return None
    value = now.get(changed[0], "")
    structure = Structure.of({changed[0]: value}) if isinstance(value, str) and "\n" not in value else None
    return None if structure is None else structure.written if value else f"{changed[0]}:"


def _words(body: Mapping[str, Any]) -> dict[str, Any]:
    asked = _mapping(body.get("asked"))
    return {name: asked[name] for name in ("prompt", "negative_prompt") if name in asked}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
