"""A chat's history, read from the room: from its thread, or in a room with one person from the main timeline.

The room is where it is kept, not our database. What people edited counts as edited, what was deleted is gone (with its
answer), and only those are heard who may use the bot. Answers stand after their questions, also where somebody asked
the next thing meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .. import texts
from ..config import Values
from ..errors import MatrixError, MatrixRefused
from ..language.message import from_raw
from ..matrix.addressing import Calls
from ..matrix.encryption import Encryption, KeyMissing
from ..matrix.http import MatrixHttp
from ..matrix.sync_answer import seconds
from ..requests.active import CannotAsk
from ..store.part_names import PartName
from ..store.rows import Request, key_of
from ..store.store import Store
from .entries import AGAIN, Entry, Question, Quoted, answered_by, flows
from .persona import system_prompt
from .reader import Read, Reader
from .speakers import Speakers, cleaned
from .transcript import MAX_QUOTE, Exchange, messages, newest, since_the_last_beginning

MAX_QUOTES = 8
"""Messages that people asked about, in one conversation."""
KEY_PATIENCE = 10.0
"""Seconds to wait for the room key of the question itself."""


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """``messages`` for the worker; ``notes`` are sentences for people about what could not be read."""

    messages: list[dict[str, Any]]
    """``pictures`` of them are the events that show them."""
    notes: tuple[str, ...] = ()
    left_out_told: bool = False
    """The room knows that the beginning is left out: ``notes`` say it, or an earlier answer did."""


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
        persona: Callable[[str], Awaitable[str | None]],
    ) -> None:
        """``persona``: the one of a room, ``None`` where the instance's holds."""
        self._http = http
        self._encryption = encryption
        self._store = store
        self._bot = bot
        self._values = values
        self._persona = persona
        self._speakers = Speakers(http, bot)
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

    async def build_messages(self, request: Request) -> list[dict[str, Any]]:
        """The messages of :meth:`conversation`."""
        return (await self.conversation(request)).messages

    async def conversation(self, request: Request) -> Conversation:
        """For the worker: the system prompt, the newest turns within the limits, the question.

        Raises :class:`CannotAsk` where the question cannot be read, a :class:`~..errors.MatrixError` where the
        homeserver does not answer.
        """
        chat, notes = self._values().chat, list[str]()
        question = await self._asked(request)
        asked, before = Exchange(question=question), list[Exchange]()
        if not question.fresh:
            read = await self._read(request)
            before = since_the_last_beginning(await self._exchanges(read.entries, request))
            asked.quoted = None if before else await self._thread_picture(request)
            notes += [] if read.whole else [texts.CHAT_HISTORY_UNREAD]
        await self._quote(request.origin, [*before, asked])
        if await self._about(request.origin, question) is not None:
            notes += _of_the_quote(asked.quoted)
        cut = newest(before, asked, chat.history_messages, chat.history_characters)
        told = any(exchange.left_out for exchange in before)
        if cut.shortened:
            notes.append(texts.CHAT_SHORTENED)
        if cut.left_out and not told:
            notes.append(texts.CHAT_LEFT_OUT)
        talk = [*cut.exchanges, asked]
        system = await self._system(request.origin, [*before, asked])
        return Conversation(
            messages=system + await self._messages(request.origin, talk, [*before, asked]),
            notes=tuple(notes),
            left_out_told=told or cut.left_out,
        )

    async def _read(self, request: Request) -> Read:
        chat, root = self._values().chat, await self.root_of(request)
        if root is None:
            return await self._reader.timeline(request, chat.history_messages, chat.conversation_hours * 3600)
        return await self._reader.thread(request, root, chat.history_messages)

    # -- what the model is told about people --------------------------------------------------

    async def _system(self, room: str, whole: Sequence[Exchange]) -> list[dict[str, Any]]:
        own = await self._persona(room)
        persona = self._values().chat.system_prompt if own is None else own
        began = next(exchange.question.at for exchange in whole if exchange.question is not None)
        said = system_prompt(
            persona,
            bot=await self._speakers.bot(room),
            room=await self._room_name(room) if "{room}" in persona else None,
            began=began,
            several=_several(whole),
        )
        return [{"role": "system", "content": said}] if said else []

    async def _messages(self, room: str, talk: Sequence[Exchange], whole: Sequence[Exchange]) -> list[dict[str, Any]]:
        people = [person for exchange in whole for person in exchange.people if person != self._bot]
        names = await self._speakers.names(room, people)
        return messages(talk, names, bot=await self._speakers.bot(room), labelled=_several(whole))

    async def _room_name(self, room: str) -> str | None:
        """As its settings say; nothing is made up for rooms without a name."""
        try:
            event = await self._http.state_event(room, "m.room.name")
        except MatrixError:
            return None
        name = event["content"].get("name")
        return cleaned(name) if isinstance(name, str) else None

    # -- the question ------------------------------------------------------------------------

    async def _asked(self, request: Request) -> Question:
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
        words = None if said is None else await self._reader.words(said)
        if words is None or not words.text:
            raise CannotAsk(texts.CHAT_UNREADABLE)
        return Question(
            event_id=request.event_id,
            keys=(request.key,),
            text=words.text,
            fresh=words.fresh,
            sender=request.sender,
            at=seconds(raw),
            reply_to=request.reply_to,
            picture=request.event_id if words.picture else None,
        )

    async def _quote(self, room: str, exchanges: Sequence[Exchange]) -> None:
        """Puts to the newest questions what they were asked about."""
        left = MAX_QUOTES
        for exchange in reversed(exchanges):
            about = None if exchange.question is None else await self._about(room, exchange.question)
            if about is not None and left > 0:
                exchange.quoted = await self._reader.quoted(room, about)
                left -= 1

    async def _thread_picture(self, request: Request) -> Quoted | None:
        """Where a thread hangs on a picture that is no question to us, as one of ours: what is asked first in there is
        about it."""
        root = request.thread_root
        if root is None or request.reply_to is not None or root == request.event_id:
            return None
        quoted = await self._reader.quoted(request.origin, root)
        return quoted if quoted is not None and quoted.picture is not None else None

    async def _about(self, room: str, question: Question) -> str | None:
        """The message that a question is asked about, if it replies to one. An answer of ours stands before the
        question anyway."""
        to = question.reply_to
        return None if to is None or await answered_by(self._store, room, to) is not None else to

    # -- questions and answers ---------------------------------------------------------------

    async def _exchanges(self, entries: Sequence[Entry], request: Request) -> list[Exchange]:
        """In the order of the questions; an answer whose question is gone is gone, too."""
        found: list[Exchange] = []
        by_key: dict[str, Exchange | None] = {}
        by_event: dict[str | None, Exchange] = {}
        for entry in entries:
            if isinstance(entry, Question):
                exchange = Exchange(question=entry)
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
                elsewhere = by_key[entry.key] = await self._elsewhere(request.origin, entry.key)
                late += [] if elsewhere is None else [(place, elsewhere)]
                if elsewhere is not None and entry.question is not None:
                    by_event[entry.question] = elsewhere
            if (of := by_key[entry.key]) is not None:
                of.answers.setdefault(entry.key, {})[entry.number] = entry.text
                of.left_out |= entry.left_out
        for shift, (place, exchange) in enumerate(late):
            found.insert(place + shift, exchange)
        return [exchange for exchange in found if not await self._taken_back(exchange)]

    async def _taken_back(self, exchange: Exchange) -> bool:
        """Was its answer deleted by a reaction? Then its question is forgotten with it."""
        if exchange.answers or exchange.question is None:
            return False
        first = PartName.answer(1).unsend()
        return any([first in await self._store.parts_of(key) for key in exchange.question.keys])

    async def _elsewhere(self, room: str, key: str) -> Exchange | None:
        """The exchange of an answer whose question does not stand there: asked elsewhere, or too long ago. ``None``: it
        was deleted."""
        request = await self._store.request(key)
        if request is None:
            return Exchange(question=None)
        question = await self._reader.question(request.origin, request.event_id)
        return None if question is None else Exchange(question=question)


def _of_the_quote(quoted: Quoted | None) -> list[str]:
    """What is said about the message that the question is about."""
    if quoted is None:
        return [texts.CHAT_QUOTE_UNREAD]
    return [texts.chat_quote_cut(MAX_QUOTE)] if len(quoted.text) > MAX_QUOTE else []


def _several(exchanges: Sequence[Exchange]) -> bool:
    """Do several people ask?"""
    return len({one.question.sender for one in exchanges if one.question is not None}) > 1
