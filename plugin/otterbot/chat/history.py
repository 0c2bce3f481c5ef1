"""A chat's history, read from the room: from its thread, or in a room with one person from the main timeline.

The room is where it is kept, not our database. What people edited counts as edited, what was deleted is gone (with its
answer), and only those are heard who may use the bot. Answers stand after their questions, also where somebody asked
the next thing meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .. import texts
from ..config import Values
from ..errors import MatrixRefused
from ..language.message import from_raw
from ..matrix.addressing import Calls
from ..matrix.encryption import Encryption, KeyMissing
from ..matrix.http import MatrixHttp
from ..requests.active import CannotAsk
from ..store.part_names import PartName
from ..store.rows import Request, key_of
from ..store.store import Store
from .entries import AGAIN, Entry, Question, answered_by, flows
from .reader import MAX_MESSAGE, Reader

LEFT_OUT = "\n\n[…]\n\n"
KEY_PATIENCE = 10.0
"""Seconds to wait for the room key of the question itself."""


@dataclass(kw_only=True)
class Exchange:
    """A question (``None``: not known) and its answers, each by the key of its request, in the order they came."""

    question: str | None
    keys: tuple[str, ...] = ()
    """Those that a request of the question may have."""
    answers: dict[str, dict[int, str]] = field(default_factory=dict)

    def messages(self) -> list[dict[str, str]]:
        """The newest answer counts: two in a row confuse models."""
        parts = next(reversed(self.answers.values()), {})
        answer = "\n\n".join(parts[number] for number in sorted(parts))[:MAX_MESSAGE]
        said: list[tuple[Literal["user", "assistant"], str | None]] = [("user", self.question), ("assistant", answer)]
        return [{"role": role, "content": text} for role, text in said if text]


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """``messages`` for the worker; ``notes`` are sentences for people about what could not be read."""

    messages: list[dict[str, str]]
    notes: tuple[str, ...] = ()


class History:
    """Reads conversations. One per plugin instance; keeps nothing."""

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
        self._bot = bot
        self._values = values
        self._reader = Reader(http, encryption, store, calls, bot=bot, values=values, allowed=allowed)

    async def root_of(self, request: Request) -> str | None:
        """The thread of a request: the one it was asked in, that of the answer it replies to, or its own.
        ``None``: no thread, it belongs to the conversation in the room's main timeline."""
        if flows(request):
            return None
        while request.thread_root is None:
            earlier = None
            if request.reply_to is not None:
                earlier = await answered_by(self._store, request.origin, request.reply_to)
            if earlier is None:
                return request.event_id
            if flows(earlier):
                return earlier.event_id
            request = earlier
        return request.thread_root

    async def build_messages(self, request: Request) -> list[dict[str, str]]:
        """The messages of :meth:`conversation`."""
        return (await self.conversation(request)).messages

    async def conversation(self, request: Request) -> Conversation:
        """For the worker: the system prompt, the newest turns within the limits, the question.

        Raises :class:`CannotAsk` where the question cannot be read, a :class:`~..errors.MatrixError` where the
        homeserver does not answer.
        """
        chat = self._values().chat
        asked = await self._asked(request)
        root = await self.root_of(request)
        if root is None:
            read = await self._reader.timeline(request, chat.history_messages, chat.conversation_hours * 3600)
        else:
            read = await self._reader.thread(request, root, chat.history_messages)
        first = request.asked.get(AGAIN) is True and root == request.event_id
        exchanges = [] if first else await self._exchanges(read.entries, request)
        talk = limited(exchanges, asked, chat.history_messages, chat.history_characters)
        system = chat.system_prompt.strip()
        messages = [{"role": "system", "content": system}, *talk] if system else talk
        return Conversation(messages=messages, notes=() if read.whole else (texts.CHAT_HISTORY_UNREAD,))

    # -- the question ------------------------------------------------------------------------

    async def _asked(self, request: Request) -> str:
        try:
            raw = await self._http.event(request.origin, request.edit_id or request.event_id)
        except MatrixRefused:
            raise CannotAsk(texts.CHAT_UNREADABLE) from None
        try:
            readable = await self._encryption.readable(raw)
        except KeyMissing as missing:
            await self._encryption.wait_for_key(request.origin, missing.session_id, KEY_PATIENCE)
            readable = await self._reader.readable(raw)
        said = None if readable is None else from_raw(readable, encrypted=request.private, own_id=self._bot)
        text = None if said is None else await self._reader.words(said)
        if not text:
            raise CannotAsk(texts.CHAT_UNREADABLE)
        return text

    # -- questions and answers ---------------------------------------------------------------

    async def _exchanges(self, entries: Sequence[Entry], request: Request) -> list[Exchange]:
        """In the order of the questions; an answer whose question is gone is gone, too."""
        found: list[Exchange] = []
        by_key: dict[str, Exchange] = {}
        by_event: dict[str | None, Exchange] = {}
        for entry in entries:
            if isinstance(entry, Question):
                exchange = Exchange(question=entry.text, keys=entry.keys)
                found.append(exchange)
                by_event[entry.event_id] = exchange
                by_key.update(dict.fromkeys(entry.keys, exchange))
        late: list[tuple[int, Exchange]] = []
        own = {
            request.key,
            *(key_of(self._bot, request.origin, request.event_id, id) for id in (None, request.edit_id)),
        }
        place, again = 0, request.asked.get(AGAIN) is True
        for entry in entries:
            if isinstance(entry, Question):
                place += 1
                continue
            if entry.key in own or entry.question == request.event_id:
                continue
            if entry.key not in by_key and entry.question in by_event:
                by_key[entry.key] = by_event[entry.question]
            elif entry.key not in by_key and again:
                continue  # of what was asked later
            elif entry.key not in by_key:
                exchange = by_key[entry.key] = await self._elsewhere(request.origin, entry.key)
                by_event.setdefault(entry.question, exchange)
                late.append((place, exchange))
            by_key[entry.key].answers.setdefault(entry.key, {})[entry.number] = entry.text
        for shift, (place, exchange) in enumerate(late):
            found.insert(place + shift, exchange)
        return [exchange for exchange in found if exchange.question != "" and not await self._taken_back(exchange)]

    async def _taken_back(self, exchange: Exchange) -> bool:
        """Was its answer deleted by a reaction? Then its question is forgotten with it."""
        if exchange.answers:
            return False
        first = PartName.answer(1).unsend()
        return any([first in await self._store.parts_of(key) for key in exchange.keys])

    async def _elsewhere(self, room: str, key: str) -> Exchange:
        """The exchange of an answer whose question does not stand there: asked elsewhere, too long ago, or deleted."""
        request = await self._store.request(key)
        if request is None:
            return Exchange(question=None)
        return Exchange(question=await self._reader.question(request.origin, request.event_id))


def limited(exchanges: Sequence[Exchange], asked: str, messages: int, characters: int) -> list[dict[str, str]]:
    """The newest whole exchanges that fit beside the question, oldest first, and the question."""
    talk = [{"role": "user", "content": asked}]
    left, count = characters - len(asked), 1
    for exchange in reversed(exchanges):
        said = exchange.messages()
        said = said if count > 1 else shortened(said, left)
        left -= sum(len(message["content"]) for message in said)
        count += len(said)
        if left < 0 or count > messages:
            break
        talk = [*said, *talk]
    return talk


def shortened(said: list[dict[str, str]], room: int) -> list[dict[str, str]]:
    """What was said last, without the middle of an answer that alone fills more than ``room`` characters: what people
    ask next is about it."""
    if not said or said[-1]["role"] != "assistant" or sum(len(one["content"]) for one in said) <= room:
        return said
    answer = said[-1]["content"]
    half = (room - sum(len(one["content"]) for one in said[:-1]) - len(LEFT_OUT)) // 2
    if half < 500:
        return said
    return [*said[:-1], {"role": "assistant", "content": f"{answer[:half]}{LEFT_OUT}{answer[-half:]}"}]
