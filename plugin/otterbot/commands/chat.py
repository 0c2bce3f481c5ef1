"""``!chat``, and when plain text is meant for the bot: in a room with one person, in a thread of ours."""

from __future__ import annotations

from .. import texts
from ..encryption import KeyMissing
from ..errors import MatrixError
from ..intents import Intent, parse
from ..message import Message, from_raw
from ..outcome import NewRequest, Outcome, say
from ..records import Request
from ..services import Services

MAX_THREADS = 2_000


async def chat(services: Services, intent: Intent) -> Outcome:
    values = services.config.current
    if not values.chat.enabled:
        return say(texts.CHAT_OFF)
    if intent.problem is not None:
        return say(texts.usage_problem(intent.problem, "chat", values.prefix))
    return new_turn()


def new_turn() -> Outcome:
    """The messages are read from the room when it is submitted."""
    return Outcome(request=NewRequest(kind="chat"))


async def is_for_us(services: Services, message: Message) -> bool:
    """Is text without a command a turn of a chat with us?"""
    values = services.config.current
    if not values.chat.enabled or message.is_media or not message.body.strip():
        return False
    if message.body.lstrip().casefold().startswith(values.prefix.casefold()):
        return False  # somebody else's command, or a slip: silence
    if message.reply_to is not None and await _is_answer(services, message.room_id, message.reply_to):
        return True
    if message.thread_root is not None and await _is_chat(services, message.room_id, message.thread_root):
        return True
    return values.chat.direct_messages and await services.permissions.alone_with(message.room_id, message.sender)


async def _is_answer(services: Services, room: str, event_id: str) -> bool:
    """Is that event something we said in a chat?"""
    part = await services.store.part_by_event(event_id)
    return part is not None and _here(await services.store.request(part.key), room)


def _here(request: Request | None, room: str) -> bool:
    return request is not None and request.kind == "chat" and request.room_id == room


async def _is_chat(services: Services, room: str, root: str) -> bool:
    """Does the thread hang on a question to us, or on an answer of ours?"""
    if _here(await services.store.request_by_event(root), room) or await _is_answer(services, room, root):
        return True
    known = services.chat_threads.get((room, root))
    if known is None:
        try:
            known = await _read_root(services, room, root)
        except (MatrixError, KeyMissing):
            return False  # not known now; asked again with the next message
        if len(services.chat_threads) >= MAX_THREADS:
            services.chat_threads.clear()
        services.chat_threads[room, root] = known
    return known


async def _read_root(services: Services, room: str, root: str) -> bool:
    """For a question that the database does not know (any more)."""
    raw = await services.encryption.readable(await services.http.event(room, root))
    if raw is None:
        return False
    asked = from_raw(raw, encrypted=False)
    if asked is None or not services.permissions.may_use(asked.sender):
        return False
    intent = parse(asked.body, prefix=services.config.current.prefix)
    return intent is not None and intent.name == "chat" and intent.problem is None
