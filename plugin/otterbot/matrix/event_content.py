"""Builds event contents: relations, our own key, notices, edits; and shortens them."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Protocol

from maubot.matrix import parse_formatted

from .. import numeric, texts
from ..store.rows import Request

OUR_KEY = "org.otterbot"
FILM_OF = "film_of"
"""In our key of a film: the event of its picture."""
MAX_CONTENT = 40_000
"""Bytes of JSON. As encrypted events 47,000 pass and 66,000 fail."""
SHORT_BODY = 1_000
DEEPEST = 20
"""Maximum nesting of a record."""


class Asked(Protocol):
    """What is replied to: a message or a request."""

    @property
    def event_id(self) -> str: ...
    @property
    def thread_root(self) -> str | None: ...


def relation(asked: Asked) -> dict[str, Any]:
    """``m.relates_to``: a reply, in the thread if it was asked in one."""
    reply = {"m.in_reply_to": {"event_id": asked.event_id}}
    if asked.thread_root is None:
        return reply
    return {"rel_type": "m.thread", "event_id": asked.thread_root, "is_falling_back": False, **reply}


def related(asked: Asked) -> dict[str, Any]:
    """The relation as fields of a content; none across rooms: the request may have moved with an upgrade."""
    return {} if is_elsewhere(asked) else {"m.relates_to": relation(asked)}


def is_elsewhere(asked: Asked) -> bool:
    """Whether the message is in another room than its answers go to."""
    return isinstance(asked, Request) and asked.moved


async def carried_over(content: dict[str, Any], sender: str | None) -> dict[str, Any]:
    """A message for the replacement of the room that it could not be sent to."""
    content = {name: value for name, value in content.items() if name != "m.relates_to"}
    if sender is None:
        return content
    line, formatted = await parse_formatted(texts.asked_in_the_room_before(sender))
    content["body"] = f"{line}\n\n{content.get('body', '')}"
    if "formatted_body" in content:
        content["formatted_body"] = f"{formatted}{content['formatted_body']}"
    return content


def without_thread(content: dict[str, Any] | None) -> dict[str, Any] | None:
    """The content as a plain reply without thread; ``None`` if it has no thread."""
    related = (content or {}).get("m.relates_to")
    if not isinstance(related, dict) or related.get("rel_type") != "m.thread":
        return None
    reply = {name: value for name, value in related.items() if name == "m.in_reply_to"}
    return {**(content or {}), "m.relates_to": reply}


def ours(key: str, part: str, **more: Any) -> dict[str, Any]:
    """Our mark in an event, by which it is found again: key and part."""
    return {"v": 1, "key": key, "part": part, **more}


def film_of(event: Mapping[str, Any] | None, bot: str) -> str | None:
    """The event of the picture whose film that event of the bot's is; ``None``: it is no film."""
    content = event.get("content") if event is not None and event.get("sender") == bot else None
    mark = content.get(OUR_KEY) if isinstance(content, Mapping) else None
    of = mark.get(FILM_OF) if isinstance(mark, Mapping) else None
    return of if isinstance(of, str) and of.startswith("$") else None


async def notice(markdown: str, key: str, part: str, asked: Asked | None, msgtype: str = "m.notice") -> dict[str, Any]:
    """A sentence for the room, as a reply. It mentions nobody."""
    if isinstance(asked, Request):
        markdown = texts.for_whom(markdown, asked.reaction, asked.sender)
    if isinstance(asked, Request) and asked.moved:
        markdown = f"{texts.asked_in_the_room_before(asked.sender)}\n\n{markdown}"
    body, formatted = await parse_formatted(markdown)
    content: dict[str, Any] = {
        "msgtype": msgtype,
        "body": body,
        "format": "org.matrix.custom.html",
        "formatted_body": formatted,
        "m.mentions": {},
        OUR_KEY: ours(key, part),
    }
    if asked is not None:
        content |= related(asked)
    return content


def edit(content: dict[str, Any], target: str) -> dict[str, Any]:
    """The event that replaces ``target`` by ``content``."""
    new = {name: value for name, value in content.items() if name != "m.relates_to"}
    return {
        **new,
        "body": f"* {content.get('body', '')}",
        "m.new_content": new,
        "m.relates_to": {"rel_type": "m.replace", "event_id": target},
    }


def canonical(value: Any) -> Any:
    """JSON that may stand in an event: Matrix knows no fractions there, and a homeserver refuses them in clear.

    A whole number stays a number, any other becomes its decimal text (``4.5`` → ``"4.5"``), without an exponent. What
    no event may hold (a number of hundreds of digits, half a character, boxes in boxes in boxes) becomes ``None``.
    """
    return _canonical(value, DEEPEST)


def _canonical(value: Any, levels: int) -> Any:
    if isinstance(value, Mapping):
        return {str(_text(name)): _canonical(inner, levels - 1) for name, inner in value.items()} if levels else None
    if isinstance(value, list | tuple):
        return [_canonical(inner, levels - 1) for inner in value] if levels else None
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool):
        return value
    known = numeric.number(value)
    if known is None or abs(known) >= numeric.EXACT:
        return None
    return int(value) if known.is_integer() else f"{Decimal(repr(known)):f}"


def _text(text: Any) -> str | None:
    try:
        str(text).encode()
    except UnicodeEncodeError:
        return None
    return str(text)


def reaction(key: str, part: str, target: str, emoji: str) -> dict[str, Any]:
    return {
        "m.relates_to": {"rel_type": "m.annotation", "event_id": target, "key": emoji},
        OUR_KEY: ours(key, part),
    }


def size(content: Any) -> int:
    """Bytes as mautrix serializes it before encrypting (everything but ASCII escaped)."""
    return len(json.dumps(content))


def fit(content: dict[str, Any], limit: int = MAX_CONTENT) -> dict[str, Any]:
    """The content, shortened no more than needed to fit ``limit``."""
    steps = (
        _without_repeated_prompt, _with_short_body, _without_styled_prompt, _without_asked, _without_record,
        _with_tiny_body,
    )  # fmt: skip
    for step in steps:
        if size(content) <= limit:
            break
        content = step(copy.deepcopy(content))
    return content


def shorter(content: dict[str, Any]) -> dict[str, Any] | None:
    """The content, about half as large; ``None`` if it cannot be shortened."""
    before = size(content)
    smaller = fit(content, before // 2)
    return smaller if size(smaller) < before else None


def _record(content: dict[str, Any]) -> dict[str, Any]:
    mark = content.get(OUR_KEY)
    record = mark.get("record") if isinstance(mark, dict) else None
    return record if isinstance(record, dict) else {}


def _without_repeated_prompt(content: dict[str, Any]) -> dict[str, Any]:
    """Drop the prompt in ``asked`` if ``used`` has the same."""
    asked, used = _record(content).get("asked"), _record(content).get("used")
    if isinstance(asked, dict) and isinstance(used, dict):
        said = used["styled"] if isinstance(used.get("styled"), dict) else used
        for name in ("prompt", "negative_prompt"):
            if name in asked and asked[name] == said.get(name):
                del asked[name]
    return content


def _without_styled_prompt(content: dict[str, Any]) -> dict[str, Any]:
    """Drop the prompts as they were drawn, where the words before the styles stand there with the styles."""
    used = _record(content).get("used")
    if isinstance(used, dict) and isinstance(used.get("styled"), dict):
        used.pop("prompt", None)
        used.pop("negative_prompt", None)
    return content


def _with_short_body(content: dict[str, Any]) -> dict[str, Any]:
    return _cut(content, SHORT_BODY)


def _with_tiny_body(content: dict[str, Any]) -> dict[str, Any]:
    return _cut(content, SHORT_BODY // 10)


def _cut(content: dict[str, Any], length: int) -> dict[str, Any]:
    """A short plain body; cutting HTML would break it."""
    for place in (content, content.get("m.new_content")):
        if isinstance(place, dict) and isinstance(place.get("body"), str) and len(place["body"]) > length:
            place["body"] = place["body"][:length].rstrip() + " […]"
            place.pop("formatted_body", None)
            place.pop("format", None)
    return content


def _without_asked(content: dict[str, Any]) -> dict[str, Any]:
    _record(content).pop("asked", None)
    return content


def _without_record(content: dict[str, Any]) -> dict[str, Any]:
    mark = content.get(OUR_KEY)
    if isinstance(mark, dict):
        mark.pop("record", None)
    return content
