"""Reads conversations out of rooms: a thread, or what one person and we said in the main timeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import numeric
from .calls import Calls
from .chat_entries import AnswerPart, Entry, Question, answer_part, answered_by, flows, mapping
from .chat_walk import Walk
from .config import Values
from .encryption import Encryption, KeyMissing
from .errors import MatrixRefused
from .intents import begins_with_prefix
from .matrix_http import MatrixHttp
from .message import EMOTE, SPEECH, Message, from_raw
from .records import Kind, Request, key_of
from .store import Store
from .typed import clean

MAX_PAGES = 10
MAX_MESSAGE = 60_000
"""Characters; the worker takes 64,000."""
SPOKEN = {"types": ["m.room.message", "m.room.encrypted", "m.room.member"]}


class Reader:
    """Reads rooms; keeps nothing."""

    def __init__(
        self,
        http: MatrixHttp,
        encryption: Encryption,
        store: Store,
        calls: Calls,
        *,
        bot: str,
        values: Callable[[], Values],
        allowed: Callable[[str], bool],
    ) -> None:
        self._http = http
        self._encryption = encryption
        self._store = store
        self._calls = calls
        self._bot = bot
        self._values = values
        self._allowed = allowed

    # -- one message -------------------------------------------------------------------------

    async def words(self, message: Message) -> str | None:
        """What a message says to us, without the command; ``None`` if it is for somebody else."""
        intent = await self._calls.intent(message)
        if intent is not None:
            text = intent.text if intent.name == "chat" else ""
        elif message.is_media or message.msgtype not in SPEECH:
            text = ""
        else:
            text = "" if begins_with_prefix(message.body, self._values().prefix) else clean(message.body).strip()
            if text and message.msgtype == EMOTE:
                text = f"*{text}*"  # how people who play a part write to models what they do
        return text.encode("utf-8", "replace").decode("utf-8")[:MAX_MESSAGE] or None

    async def readable(self, raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The (decrypted) event, ``None`` if it cannot be read now."""
        try:
            return await self._encryption.readable(raw)
        except KeyMissing:
            return None

    async def entry(self, room: str, raw: Mapping[str, Any], edit: Mapping[str, Any] | None = None) -> Entry | None:
        """What an event says now; ``edit`` is its newest edit, where that is known already."""
        sender, event_id = raw.get("sender"), raw.get("event_id")
        if not isinstance(sender, str) or not isinstance(event_id, str):
            return None
        if sender != self._bot and not self._allowed(sender):
            return None
        if edit is None:
            edit = await self._edit_of(room, raw)
        now = await self.readable(edit if edit is not None else raw)
        if now is None:
            return None
        if sender == self._bot:
            return answer_part(now)
        message = from_raw({**now, "room_id": room}, encrypted=False)
        text = await self.words(message) if message is not None else None
        if message is None or text is None:
            return None
        edit_id = edit.get("event_id") if edit is not None else None
        ids = [None, edit_id] if isinstance(edit_id, str) else [None]
        return Question(
            event_id=event_id,
            keys=tuple(key_of(self._bot, room, event_id, one) for one in ids),
            text=text,
            reply_to=message.reply_to,
        )

    async def _edit_of(self, room: str, raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The newest edit of an event by its own sender: bundled with it, or (for us, who always edit) asked for."""
        bundled = mapping(mapping(mapping(raw.get("unsigned")).get("m.relations")).get("m.replace"))
        if bundled.get("sender") == raw.get("sender") and isinstance(bundled.get("content"), Mapping):
            return {**bundled, "room_id": room}
        if raw.get("sender") != self._bot or not bundled:
            return None
        try:
            edits, _ = await self._http.relations(room, str(raw.get("event_id")), "m.replace", limit=20)
        except MatrixRefused:
            return None
        own = [edit for edit in edits if edit.get("sender") == self._bot]
        return max(own, key=lambda edit: numeric.number(edit.get("origin_server_ts")) or 0.0, default=None)

    # -- a thread ----------------------------------------------------------------------------

    async def thread(self, request: Request, root: str, most: int) -> list[Entry]:
        """What stands in the thread before the request, oldest first; answers also from after it."""
        own = {request.event_id, request.edit_id}
        newest_first: list[Entry] = []
        start: str | None = None
        for _ in range(MAX_PAGES):
            try:
                events, start = await self._http.relations(request.origin, root, "m.thread", start=start)
            except MatrixRefused:
                break
            for event in events:
                if event.get("event_id") in own:
                    # What was asked after it is another turn; what was answered after it may belong before.
                    newest_first = [entry for entry in newest_first if isinstance(entry, AnswerPart)]
                elif (entry := await self.entry(request.origin, event)) is not None:
                    newest_first.append(entry)
            if start is None or len(newest_first) > 2 * most:
                break
        entries = newest_first[::-1]
        if start is None and root not in own:
            entries = [*await self._beginning(request.origin, root), *entries]
        return entries

    async def _beginning(self, room: str, root: str) -> list[Entry]:
        """The message that a thread hangs on, with its answer where that stands outside."""
        first = await self._at(room, root)
        if first is None:
            return []
        asked = await self._store.request_by_event(root) if isinstance(first, Question) else None
        if asked is None or not flows(asked):
            return [first]
        parts = [part for part in (await self._store.parts_of(asked.key)).values() if part.kind is Kind.MESSAGE]
        standing = [await self._at(room, part.event_id) for part in parts if part.event_id is not None]
        return [first, *(entry for entry in standing if isinstance(entry, AnswerPart))]

    async def _at(self, room: str, event_id: str) -> Entry | None:
        try:
            return await self.entry(room, await self._http.event(room, event_id))
        except MatrixRefused:
            return None

    # -- the main timeline -------------------------------------------------------------------

    async def timeline(self, request: Request, most: int, pause: float) -> list[Entry]:
        """What the person of the request and we said to each other in the room's main timeline before it, oldest first;
        answers also from after it.

        Ends at a silence of ``pause`` seconds, and where somebody else was in the room: that was not said to us.
        """
        walk = Walk(request, self._bot, pause)
        start: str | None = None
        for _ in range(MAX_PAGES):
            try:
                events, start = await self._http.messages(request.origin, start=start, event_filter=SPOKEN)
            except MatrixRefused:
                break
            for event in events:
                if walk.ends(event, 2 * most):
                    return walk.entries()
                if walk.wants(event):
                    entry = await self.entry(request.origin, event, walk.edit_of(event))
                    if entry is not None and await self._is_outside(request.origin, entry):
                        walk.found(entry, event)
            if start is None:
                break
        return walk.entries()

    async def _is_outside(self, room: str, entry: Entry) -> bool:
        """Of the flowing conversation; not a question that was answered in a thread."""
        if isinstance(entry, AnswerPart):
            return True
        asked = await self._store.request_by_event(entry.event_id)
        if asked is None and entry.reply_to is not None:
            asked = await answered_by(self._store, room, entry.reply_to)
        return asked is None or flows(asked)
