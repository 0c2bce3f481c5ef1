"""What chats are made of: questions and pieces of answers, as they stand in rooms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..matrix.event_content import OUR_KEY
from ..store.part_names import PLACEHOLDER, PartName
from ..store.rows import Request
from ..store.store import Store
from .drawings import DREW, MOST_DREW

FLOWING = "flowing"
"""In ``asked`` of a request: a turn of the one conversation of a room with one person, outside of threads. Decided when
it is asked and stored, for by the time it is answered somebody else may have come."""

MODEL = "model"
"""In ``asked``: the language model that a person named."""
ROOM_MODEL = "room_model"
"""In ``asked``: the one of the room, or of the instance, when it was asked."""
LEFT_OUT = "left_out"
"""In our key of an answer: it says, or one before it did, that the beginning is left out."""


@dataclass(frozen=True, kw_only=True)
class Quoted:
    """A message that somebody replied to when they asked about it."""

    sender: str
    text: str


AGAIN = "again"
"""In ``asked`` of a request: the question has an answer, and somebody wanted another one."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a person said to us."""

    event_id: str
    keys: tuple[str, ...]
    """The keys that a request of it may have: as it was first, and as it was edited."""
    text: str
    """``""`` only of a bare ``!chat --new``."""
    sender: str
    at: float = 0.0
    """When it was said, in the homeserver's time (Unix seconds)."""
    fresh: bool = False
    """A new conversation begins with it."""
    reply_to: str | None = None


@dataclass(frozen=True, kw_only=True)
class AnswerPart:
    """A message of an answer of ours."""

    key: str
    number: int
    text: str
    question: str | None = None
    """The event of the question, where the key does not tell it: the answer is another one to it."""
    file: Mapping[str, Any] | None = None
    """The content of a file's message, in which the text still is."""
    left_out: bool = False
    """The room knows that the conversation's beginning does not reach the model any more."""


Entry = Question | AnswerPart


def flows(request: Request) -> bool:
    """Is it a turn of the conversation in the main timeline?"""
    return request.asked.get(FLOWING) is True


async def answered_by(store: Store, room: str, event_id: str) -> Request | None:
    """The chat request of which that event is an answer, if it is one."""
    part = await store.part_by_event(event_id)
    if part is None:
        return None
    request = await store.request(part.key)
    return request if request is not None and request.kind == "chat" and part.room_id == room else None


def is_placeholder(event: Mapping[str, Any]) -> bool:
    """Is it where an answer of ours grows? Every other message of ours stays as it was sent."""
    return mapping(mapping(event.get("content")).get(OUR_KEY)).get("part") == PLACEHOLDER


def answer_part(event: Mapping[str, Any]) -> AnswerPart | None:
    """A message of a finished answer of ours, as it stands or as it was edited."""
    content = mapping(event.get("content"))
    content = mapping(content.get("m.new_content")) or content
    mark, body = mapping(content.get(OUR_KEY)), content.get("body")
    key, part, length = mark.get("key"), mark.get("part"), mark.get("length")
    if not (isinstance(key, str) and isinstance(part, str) and isinstance(body, str)):
        return None
    number = PartName(part).piece
    if number < 1:
        return None
    asked = mark.get("question")
    question, left_out = asked if isinstance(asked, str) else None, mark.get(LEFT_OUT) is True
    if content.get("msgtype") == "m.file":
        return AnswerPart(key=key, number=number, text="", left_out=left_out, question=question, file=content)
    text = body[:length] if isinstance(length, int) else body
    if isinstance(drew := mark.get(DREW), str):
        text = f"{text}\n\n[A picture was drawn: {' '.join(drew[:MOST_DREW].split())}]".strip()
    return AnswerPart(key=key, number=number, text=text, left_out=left_out, question=question)


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
