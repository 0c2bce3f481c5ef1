"""Reads conversations out of rooms: a thread, or what one person and we said in the main timeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..config import Values
from ..errors import MatrixRefused
from ..language.intents import begins_with_prefix
from ..language.message import EMOTE, SPEECH, Message, from_raw
from ..language.typed import clean
from ..matrix.addressing import Calls
from ..matrix.encryption import Encryption, KeyMissing
from ..matrix.event_content import film_of
from ..matrix.http import MatrixHttp
from ..matrix.sync_answer import seconds
from ..store.rows import Kind, Request, key_of
from ..store.store import Store
from . import answer_files
from .entries import AnswerPart, Entry, Question, Quoted, answer_part, answered_by, flows, is_placeholder
from .newest_edits import Budget, Edits, Source, Spent
from .pages import Thread, Timeline
from .walk import Walk

MAX_MESSAGE = 60_000
"""Characters; the worker takes 64,000."""
PICTURE = "m.image"
_KINDS = {"m.image": "a picture", "m.file": "a file", "m.video": "a video", "m.audio": "a sound"}
"""What stands in place of the words of a message that has none."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """Entries, oldest first. ``whole``: nothing that belongs before them was refused to us."""

    entries: list[Entry]
    whole: bool = True


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a message says to us."""

    text: str
    fresh: bool = False
    """A new conversation begins with it; ``text`` may be empty then."""
    picture: bool = False
    """It shows a picture; ``text`` is its caption then, and may be empty."""


class Reader:
    """Reads rooms; keeps nothing of them."""

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
        self._edits = Edits(http, bot)

    # -- one message -------------------------------------------------------------------------

    async def words(self, message: Message) -> Words | None:
        """What a message says or shows to us, without the command; ``None`` if it is for somebody else."""
        intent = await self._calls.intent(message)
        picture = message.msgtype == PICTURE and (intent is None or intent.name == "chat")
        if intent is not None:
            text, fresh = (intent.text, intent.fresh) if intent.name == "chat" else ("", False)
        else:
            text, fresh = await self._spoken_words(message), False
        text = text.encode("utf-8", "replace").decode("utf-8")[:MAX_MESSAGE]
        if picture and not text and begins_with_prefix(message.body, self._values().prefix):
            return None
        return Words(text=text, fresh=fresh, picture=picture) if text or fresh or picture else None

    async def _spoken_words(self, message: Message) -> str:
        """Of what is no command of ours; ``""`` if it is not for us."""
        spoken = message.msgtype in SPEECH or message.msgtype == PICTURE
        if not spoken or begins_with_prefix(message.body, self._values().prefix):
            return ""
        text = (await self._calls.without_name(message)).strip()
        # How people who play a part write to models what they do.
        return f"*{text}*" if text and message.msgtype == EMOTE else text

    async def readable(self, raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The (decrypted) event, ``None`` if it cannot be read now."""
        try:
            return await self._encryption.readable(raw)
        except KeyMissing:
            return None

    async def entry(
        self, raw: Mapping[str, Any], source: Source, budget: Budget | None, edit: Mapping[str, Any] | None = None
    ) -> Entry | None:
        """What an event says now. ``edit`` is its newest edit, where that is known already; without a ``budget`` nobody
        is asked for another. Raises :class:`~.newest_edits.Spent`."""
        room, sender, event_id = raw.get("room_id"), raw.get("sender"), raw.get("event_id")
        if not (isinstance(room, str) and isinstance(sender, str) and isinstance(event_id, str)):
            return None
        if sender != self._bot and not self._allowed(sender):
            return None
        edit = edit or self._edits.bundled(raw, source)
        first = await self.readable(raw) if sender == self._bot and edit is None else None
        if edit is None and budget is not None and (first is None or is_placeholder(first)):
            edit = await self._edits.newest(raw, source, budget, expected=first is not None)
        now = first if edit is None and first is not None else await self.readable(edit if edit is not None else raw)
        if now is None:
            return None
        if sender == self._bot:
            part = answer_part(now)
            if part is not None and part.file is not None:
                part = replace(part, text=await answer_files.text_of(self._http, part.file), file=None)
            return part
        message = from_raw({**now, "room_id": room}, encrypted=False)
        words = await self.words(message) if message is not None else None
        if message is None or words is None:
            return None
        edit_id = edit.get("event_id") if edit is not None else None
        ids = [None, edit_id] if isinstance(edit_id, str) else [None]
        return Question(
            event_id=event_id,
            keys=tuple(key_of(self._bot, room, event_id, one) for one in ids),
            text=words.text,
            fresh=words.fresh,
            sender=sender,
            at=seconds(raw),
            reply_to=message.reply_to,
            picture=event_id if words.picture else None,
        )

    # -- a thread ----------------------------------------------------------------------------

    async def thread(self, request: Request, root: str, most: int) -> Read:
        """What stands in the thread before the request; answers also from after it."""
        own, budget = {request.event_id, request.edit_id}, Budget()
        if root in own:
            return Read(entries=[])  # it begins the thread: what stands there came after it
        pages, newest_first, full = Thread(self._http, request.origin, root), list[Entry](), False
        async for event in pages.events():
            if event.get("event_id") in own:
                # What was asked after it is another turn; what was answered after it may belong before.
                newest_first = [entry for entry in newest_first if isinstance(entry, AnswerPart)]
                continue
            try:
                if pages.by_timeline:
                    entry = await self.entry(event, "messages", None, pages.edit_of(event))
                else:
                    entry = await self.entry(event, "relations", budget)
            except Spent:
                full = True
                break
            if entry is not None:
                newest_first.append(entry)
            if len(newest_first) > 2 * most:
                full = True
                break
        entries, whole = newest_first[::-1], full or pages.whole
        if not full:
            beginning = await self._beginning(request.origin, root, budget, pages)
            entries, whole = [*(beginning or []), *entries], whole and beginning is not None
        return Read(entries=entries, whole=whole)

    async def _beginning(self, room: str, root: str, budget: Budget, thread: Thread) -> list[Entry] | None:
        """The message that a thread hangs on, with its answer where that stands outside; ``None``: not for us. Their
        edits may have been seen on the way to it."""
        try:
            raw = await self._http.event(room, root)
        except MatrixRefused:
            return None
        first = await self._spoken(raw, budget, thread.edit_of(raw))
        if first is None:
            return []
        asked = await self._store.request_by_event(root) if isinstance(first, Question) else None
        if asked is None or not flows(asked):
            return [first]
        parts = [part for part in (await self._store.parts_of(asked.key)).values() if part.kind is Kind.MESSAGE]
        standing = [await self._at(room, part.event_id, budget, thread) for part in parts if part.event_id is not None]
        return [first, *(entry for entry in standing if isinstance(entry, AnswerPart))]

    async def _at(self, room: str, event_id: str, budget: Budget, thread: Thread | None = None) -> Entry | None:
        try:
            raw = await self._http.event(room, event_id)
        except MatrixRefused:
            return None
        return await self._spoken(raw, budget, thread.edit_of(raw) if thread is not None else None)

    async def _spoken(self, raw: Mapping[str, Any], budget: Budget, edit: Mapping[str, Any] | None) -> Entry | None:
        try:
            return await self.entry(raw, "event", budget, edit)
        except Spent:
            return await self.entry(raw, "event", None, edit)

    async def question(self, room: str, event_id: str) -> Question | None:
        """What a message asks now; ``None`` if it is gone, or says nothing to us."""
        entry = await self._at(room, event_id, Budget())
        return entry if isinstance(entry, Question) else None

    async def quoted(self, room: str, event_id: str) -> Quoted | None:
        """A message of anybody's as it stands now, for who asks about it; ``None`` if it cannot be read."""
        try:
            raw = await self._http.event(room, event_id)
        except MatrixRefused:
            return None
        sender = raw.get("sender")
        try:
            edit = await self._edits.newest(raw, "event", Budget(), expected=False)
        except Spent:
            edit = None
        now = await self.readable(edit if edit is not None else raw)
        message = None if now is None else from_raw({**now, "room_id": room}, encrypted=False)
        if message is None or not isinstance(sender, str):
            return None
        text = clean(message.body).strip() or f"[{_KINDS.get(message.msgtype, 'nothing')}]"
        shown = film_of(now, self._bot) or event_id
        return Quoted(sender=sender, text=text, picture=shown if message.msgtype == PICTURE else None)

    # -- the main timeline -------------------------------------------------------------------

    async def timeline(self, request: Request, most: int, pause: float) -> Read:
        """What the person of the request and we said to each other in the room's main timeline before it; answers also
        from after it.

        Ends at a silence of ``pause`` seconds, and where somebody else was in the room: that was not said to us.
        """
        walk, pages = Walk(request, self._bot, pause), Timeline(self._http, request.origin)
        async for event in pages.events():
            if walk.ends(event, 2 * most):
                return Read(entries=walk.entries())
            if walk.wants(event):
                # Whatever was edited later came before it: nothing has to be asked.
                entry = await self.entry(event, "messages", None, walk.edit_of(event))
                if entry is not None and await self._is_outside(request.origin, entry):
                    walk.found(entry, event)
        return Read(entries=walk.entries(), whole=pages.whole)

    async def _is_outside(self, room: str, entry: Entry) -> bool:
        """Of the flowing conversation; not a question that was answered in a thread."""
        if isinstance(entry, AnswerPart):
            return True
        asked = await self._store.request_by_event(entry.event_id)
        if asked is None and entry.reply_to is not None:
            asked = await answered_by(self._store, room, entry.reply_to)
        return asked is None or flows(asked)
