"""``!chat``, and when plain text is meant for the bot: with one person, in a thread of ours, where it is named. The
caption of a picture is text.

In a room with one person there is one conversation in the main timeline; everywhere else each has its thread.
"""

from __future__ import annotations

from .. import texts
from ..chat.drawings import DRAWS
from ..chat.entries import FLOWING, MODEL, ROOM_MODEL, answered_by, flows
from ..chat.pace import PACE, Pace, answered_at, next_pace
from ..chat.reader import PICTURE
from ..errors import MatrixRefused
from ..language.arguments import Intent
from ..language.chat_words import chat_words
from ..language.intents import begins_with_prefix
from ..language.message import EMOTE, Message, from_raw
from ..language.typed import clean
from ..matrix.encryption import KeyMissing
from ..matrix.sync_answer import seconds
from ..store.rows import Request
from .chat_models import typed_chat_model
from .command import Command
from .outcome import NewRequest, Outcome, Unusable, refuse, say
from .room_settings import CHAT_DRAWS
from .services import Services

MAX_THREADS = 2_000
ROOT_PATIENCE = 10.0
"""Seconds to wait for the room key of what a thread hangs on: what else is said in the room waits as long."""
LATE = 60.0
"""Seconds after which a room key that has not come is not waited for."""


async def chat(services: Services, message: Message, intent: Intent) -> Outcome:
    values = services.config.current
    if not values.chat.enabled:
        return refuse(texts.CHAT_OFF)
    if (refused := CHAT.refuse(services, intent)) is not None:
        return refused
    model = intent.options.model
    if model is not None:
        try:
            model = await typed_chat_model(services, model) or model
        except Unusable as refusal:
            return refuse(str(refusal))
    alone = message.thread_root is None and await _alone(services, message)
    flowing = alone and not await _in_thread_of(services, message)
    if not intent.text:
        return say(texts.chat_begins_anew(flowing or message.thread_root is not None))
    return await _turn(services, message, flowing=flowing, model=model)


async def plain_text(services: Services, message: Message) -> Outcome | None:
    """A turn, if text without a command is one here; ``None`` if it is not for us."""
    values = services.config.current
    if not values.chat.enabled or not clean(message.body).strip():
        return None
    if message.is_media and message.msgtype != PICTURE:
        return None
    if begins_with_prefix(message.body, values.prefix):
        return None  # somebody else's command, or a slip: silence
    if await _in_thread_of(services, message):
        return await _turn(services, message, flowing=False)
    if await _alone(services, message):
        return await _turn(services, message, flowing=message.thread_root is None)
    goes_on = message.reply_to is not None and await _is_answer(services, message.room_id, message.reply_to)
    called = goes_on or (message.msgtype != EMOTE and await services.calls.calls_us(message))
    return await _turn(services, message, flowing=False) if called else None


async def _turn(services: Services, message: Message, *, flowing: bool, model: str | None = None) -> Outcome:
    """The messages are read from the room when it is submitted: from a thread, or (``flowing``) the main timeline.

    One sentence instead, and then nothing, where somebody goes on at a pace that no person has. ``model``: typed.
    """
    room, sender = message.room_id, message.sender
    silent = services.paces.silent(room, sender)
    if silent:
        return Outcome()
    last = None if silent is False else await services.store.last_turn(room, sender)
    parts = {} if last is None else await services.store.parts_of(last.key)
    answered = None if last is None else answered_at(last, parts.values())
    pace = next_pace(last, answered, services.store.clock.now())
    if pace.inhuman:
        services.paces.stop(room, sender)
        services.log.warning("Somebody goes on at a pace that no person has, and is not answered any more")
        return refuse(texts.CHAT_TOO_FAST)
    asked = ({FLOWING: True} if flowing else {}) | ({} if pace == Pace() else {PACE: pace.stored()})
    if await services.settings.is_on(room, CHAT_DRAWS, lambda _: False):
        asked[DRAWS] = True
    return Outcome(request=NewRequest(kind="chat", asked={**asked, **await _model(services, message, model)}))


async def _model(services: Services, message: Message, typed: str | None) -> dict[str, str]:
    """Which model answers: the one that was typed here or at the thread's beginning, else the room's or the
    instance's. Nothing: the worker's default."""
    if typed is None and message.thread_root is not None:
        first = await services.store.request_by_event(message.thread_root)
        typed = first.asked.get(MODEL) if _here(first, message.room_id) and first is not None else None
    if typed is not None:
        return {MODEL: typed}
    chosen = await services.settings.chat_model(message.room_id)
    return {} if chosen is None else {ROOM_MODEL: chosen}


async def _alone(services: Services, message: Message) -> bool:
    """Is it said in the main conversation of a room with one person?"""
    if not services.config.current.chat.direct_messages:
        return False
    return await services.permissions.alone_with(message.room_id, message.sender, message.said_at)


async def _in_thread_of(services: Services, message: Message) -> bool:
    """Does it stand in a thread of ours, or reply to an answer that does?"""
    if message.reply_to is not None:
        earlier = await answered_by(services.store, message.room_id, message.reply_to)
        if earlier is not None and not flows(earlier):
            return True
    return message.thread_root is not None and await _is_chat(services, message, message.thread_root)


async def _is_answer(services: Services, room: str, event_id: str) -> bool:
    """Is that event something we said in a chat?"""
    return await answered_by(services.store, room, event_id) is not None


def _here(request: Request | None, room: str) -> bool:
    return request is not None and request.kind == "chat" and request.origin == room


async def _is_chat(services: Services, message: Message, root: str) -> bool:
    """Does the thread hang on a question to us, or on an answer of ours?

    Raises a :class:`~..errors.MatrixError` if the homeserver does not say what stands there.
    """
    room = message.room_id
    if _here(await services.store.request_by_event(root), room) or await _is_answer(services, room, root):
        return True
    known = services.chat_threads.get((room, root))
    if known is None:
        try:
            known = await _read_root(services, message, root)
        except KeyMissing:
            return False  # not known now; asked again with the next message
        if len(services.chat_threads) >= MAX_THREADS:
            services.chat_threads.clear()
        services.chat_threads[room, root] = known
    return known


async def _read_root(services: Services, message: Message, root: str) -> bool:
    """For a question that the database does not know (any more). Raises :class:`~..matrix.encryption.KeyMissing`."""
    room = message.room_id
    try:
        raw = await services.http.event(room, root)
    except MatrixRefused:
        return False  # it is not there, or not for us
    try:
        readable = await services.encryption.readable(raw)
    except KeyMissing as missing:
        if seconds(raw) < message.timestamp / 1000 - LATE:
            raise  # it will not come any more
        await services.encryption.wait_for_key(room, missing.session_id, ROOT_PATIENCE)
        readable = await services.encryption.readable(raw)
    if readable is None:
        return False
    asked = from_raw(readable, encrypted=False)
    if asked is None or not services.permissions.may_use(asked.sender):
        return False
    intent = await services.calls.intent(asked)
    if intent is not None:
        return intent.name == "chat" and intent.problem is None
    speaks = asked.msgtype == PICTURE or (not asked.is_media and asked.msgtype != EMOTE)
    return speaks and bool(asked.body.strip()) and await services.calls.calls_us(asked)


CHAT = Command(
    name="chat",
    meant=("ask", "gpt", "chatgpt", "ai", "llm"),
    run=chat,
    reads=chat_words,
    usage=("chat why do otters hold hands?", "an answer; reply in its thread to go on"),
    topic=(
        "{!chat why do otters hold hands?} answers in a thread. Reply there to go on, without the command. In a room "
        "with only you and me, just write. {!chat --model NAME why?} asks another language model ({!models} lists "
        "them), {!chat --new} begins anew, without what was said before."
    ),
    documented=(
        (
            "`!chat why do otters hold hands?`",
            "an answer in a thread; with only you and the bot in the room, just write",
        ),
        ("`!chat --model NAME why?`", "the answer of another language model; its thread goes on with that one"),
        ("`!chat --new`, `!chat --new why?`", "a new conversation: what was said before does not count"),
    ),
    chats=True,
)
