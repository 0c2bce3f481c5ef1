"""A chat's history, read from its thread in the room: the room is where it is kept, not our database.

What people edited counts as edited, what was deleted is gone (with its answer), and only those are heard who may use
the bot. Answers stand after their questions, also where somebody asked the next thing meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from . import texts
from .config import Values
from .contents import OUR_KEY
from .encryption import Encryption, KeyMissing
from .errors import MatrixRefused
from .intents import parse
from .live import CannotAsk
from .matrix_http import MatrixHttp
from .message import Message, from_raw
from .records import Request, key_of
from .store import Store

MAX_PAGES = 10
MAX_MESSAGE = 60_000
"""Characters; the worker takes 64,000."""
KEY_PATIENCE = 10.0
"""Seconds to wait for the room key of the question itself."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a person said to us."""

    event_id: str
    keys: tuple[str, ...]
    """The keys that a request of it may have: as it was first, and as it was edited."""
    text: str


@dataclass(frozen=True, kw_only=True)
class AnswerPart:
    """A message of an answer of ours."""

    key: str
    number: int
    text: str


Entry = Question | AnswerPart


@dataclass(kw_only=True)
class Exchange:
    """A question (``None``: not known) and its answer (``""``: none yet)."""

    question: str | None
    parts: dict[int, str] = field(default_factory=dict)

    def messages(self) -> list[dict[str, str]]:
        answer = "\n\n".join(self.parts[number] for number in sorted(self.parts))
        said: list[tuple[Literal["user", "assistant"], str | None]] = [("user", self.question), ("assistant", answer)]
        return [{"role": role, "content": text} for role, text in said if text]


class History:
    """Reads threads. One per plugin instance; keeps nothing."""

    def __init__(
        self,
        http: MatrixHttp,
        encryption: Encryption,
        store: Store,
        *,
        bot: str,
        values: Callable[[], Values],
        allowed: Callable[[str], bool],
    ) -> None:
        self._http = http
        self._encryption = encryption
        self._store = store
        self._bot = bot
        self._values = values
        self._allowed = allowed

    async def root_of(self, request: Request) -> str:
        """The thread of a request: the one it was asked in, that of the answer it replies to, or its own."""
        if request.thread_root is not None:
            return request.thread_root
        if request.reply_to is not None:
            part = await self._store.part_by_event(request.reply_to)
            earlier = await self._store.request(part.key) if part is not None else None
            if earlier is not None and earlier.kind == "chat" and earlier.room_id == request.room_id:
                return earlier.thread_root or earlier.event_id
        return request.event_id

    async def build_messages(self, request: Request) -> list[dict[str, str]]:
        """``messages`` for the worker: the system prompt, the newest turns within the limits, the question.

        Raises :class:`CannotAsk` where the question cannot be read, a :class:`~.errors.MatrixError` where the
        homeserver does not answer.
        """
        chat = self._values().chat
        asked = await self._asked(request)
        entries = await self._thread(request, await self.root_of(request), chat.history_messages)
        exchanges = await self._exchanges(entries, request)
        talk = limited(exchanges, asked, chat.history_messages, chat.history_characters)
        system = chat.system_prompt.strip()
        return [{"role": "system", "content": system}, *talk] if system else talk

    # -- the question ------------------------------------------------------------------------

    async def _asked(self, request: Request) -> str:
        try:
            raw = await self._http.event(request.room_id, request.edit_id or request.event_id)
        except MatrixRefused:
            raise CannotAsk(texts.CHAT_UNREADABLE) from None
        try:
            readable = await self._encryption.readable(raw)
        except KeyMissing as missing:
            await self._encryption.wait_for_key(request.room_id, missing.session_id, KEY_PATIENCE)
            readable = await self._read(raw)
        said = None if readable is None else from_raw(readable, encrypted=request.private, own_id=self._bot)
        text = None if said is None else self._words(said)
        if not text:
            raise CannotAsk(texts.CHAT_UNREADABLE)
        return text

    async def _read(self, raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
        try:
            return await self._encryption.readable(raw)
        except KeyMissing:
            return None

    def _words(self, message: Message) -> str | None:
        """What a message says to us, without the command; ``None`` if it is for somebody else."""
        prefix = self._values().prefix
        intent = parse(message.body, prefix=prefix)
        if intent is not None:
            text = intent.text if intent.name == "chat" else ""
        elif message.is_media or message.msgtype not in ("m.text", "m.emote"):
            text = ""
        else:
            text = "" if message.body.lstrip().casefold().startswith(prefix.casefold()) else message.body.strip()
        return text.encode("utf-8", "replace").decode("utf-8")[:MAX_MESSAGE] or None

    # -- the thread --------------------------------------------------------------------------

    async def _thread(self, request: Request, root: str, most: int) -> list[Entry]:
        """What stands in the thread before the request, oldest first; answers also from after it."""
        own = {request.event_id, request.edit_id}
        newest_first: list[Entry] = []
        start: str | None = None
        for _ in range(MAX_PAGES):
            try:
                events, start = await self._http.relations(request.room_id, root, "m.thread", start=start)
            except MatrixRefused:
                break
            for event in events:
                if event.get("event_id") in own:
                    # What was asked after it is another turn; what was answered after it may belong before.
                    newest_first = [entry for entry in newest_first if isinstance(entry, AnswerPart)]
                elif (entry := await self._entry(request.room_id, event)) is not None:
                    newest_first.append(entry)
            if start is None or len(newest_first) > 2 * most:
                break
        entries = newest_first[::-1]
        if start is None and root not in own:
            try:
                first = await self._entry(request.room_id, await self._http.event(request.room_id, root))
            except MatrixRefused:
                first = None
            entries = [first, *entries] if first is not None else entries
        return entries

    async def _entry(self, room: str, raw: Mapping[str, Any]) -> Entry | None:
        sender, event_id = raw.get("sender"), raw.get("event_id")
        if not isinstance(sender, str) or not isinstance(event_id, str):
            return None
        if sender != self._bot and not self._allowed(sender):
            return None
        edit = await self._edit_of(room, raw)
        now = await self._read(edit if edit is not None else raw)
        if now is None:
            return None
        if sender == self._bot:
            return answer_part(now)
        message = from_raw({**now, "room_id": room}, encrypted=False)
        text = self._words(message) if message is not None else None
        if text is None:
            return None
        edit_id = edit.get("event_id") if edit is not None else None
        ids = [None, edit_id] if isinstance(edit_id, str) else [None]
        return Question(event_id=event_id, keys=tuple(key_of(self._bot, room, event_id, one) for one in ids), text=text)

    async def _edit_of(self, room: str, raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The newest edit of an event by its own sender: bundled with it, or (for us, who always edit) asked for."""
        bundled = _mapping(_mapping(_mapping(raw.get("unsigned")).get("m.relations")).get("m.replace"))
        if bundled.get("sender") == raw.get("sender") and isinstance(bundled.get("content"), Mapping):
            return {**bundled, "room_id": room}
        if raw.get("sender") != self._bot or not bundled:
            return None
        try:
            edits, _ = await self._http.relations(room, str(raw.get("event_id")), "m.replace", limit=20)
        except MatrixRefused:
            return None
        own = [edit for edit in edits if edit.get("sender") == self._bot]
        return max(own, key=lambda edit: _number(edit.get("origin_server_ts")), default=None)

    # -- questions and answers ---------------------------------------------------------------

    async def _exchanges(self, entries: Sequence[Entry], request: Request) -> list[Exchange]:
        """In the order of the questions; an answer whose question is gone is gone, too."""
        found: list[Exchange] = []
        by_key: dict[str, Exchange] = {}
        for entry in entries:
            if isinstance(entry, Question):
                exchange = Exchange(question=entry.text)
                found.append(exchange)
                by_key.update(dict.fromkeys(entry.keys, exchange))
        late: list[tuple[int, Exchange]] = []
        place = 0
        for entry in entries:
            if isinstance(entry, Question):
                place += 1
                continue
            if entry.key == request.key:
                continue
            if entry.key not in by_key:
                exchange = by_key[entry.key] = await self._elsewhere(request.room_id, entry.key)
                late.append((place, exchange))
            by_key[entry.key].parts[entry.number] = entry.text
        for shift, (place, exchange) in enumerate(late):
            found.insert(place + shift, exchange)
        return [exchange for exchange in found if exchange.question != ""]

    async def _elsewhere(self, room: str, key: str) -> Exchange:
        """The exchange of an answer whose question does not stand in the thread: asked as a mere reply, or deleted."""
        request = await self._store.request(key)
        if request is None:
            return Exchange(question=None)
        try:
            raw = await self._http.event(room, request.edit_id or request.event_id)
        except MatrixRefused:
            return Exchange(question="")
        readable = await self._read(raw)
        message = from_raw(readable, encrypted=False) if readable is not None else None
        return Exchange(question=(self._words(message) or "") if message is not None else "")


def answer_part(event: Mapping[str, Any]) -> AnswerPart | None:
    """A message of a finished answer of ours, as it stands or as it was edited."""
    content = _mapping(event.get("content"))
    content = _mapping(content.get("m.new_content")) or content
    mark, body = _mapping(content.get(OUR_KEY)), content.get("body")
    key, part, length = mark.get("key"), mark.get("part"), mark.get("length")
    if not (isinstance(key, str) and isinstance(part, str) and isinstance(body, str)):
        return None
    kind, _, number = part.partition("/")
    if kind != "chat" or not number.isdecimal() or int(number) < 1:
        return None
    return AnswerPart(key=key, number=int(number), text=body[:length] if isinstance(length, int) else body)


def limited(exchanges: Sequence[Exchange], asked: str, messages: int, characters: int) -> list[dict[str, str]]:
    """The newest whole exchanges that fit beside the question, oldest first, and the question."""
    talk = [{"role": "user", "content": asked}]
    left, count = characters - len(asked), 1
    for exchange in reversed(exchanges):
        said = exchange.messages()
        left -= sum(len(message["content"]) for message in said)
        count += len(said)
        if left < 0 or count > messages:
            break
        talk = [*said, *talk]
    return talk


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
