"""A model's answer as Matrix messages: contents of pieces that fit into events, and what is too long for the room.

Pure. Texts are cut in :mod:`.pieces`, and become HTML in :mod:`.markdown`.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

from .. import texts
from ..matrix import event_content
from ..store.part_names import PartName
from .markdown import render
from .pieces import LIMIT, beginning, cuts, measure, split

IN_THE_ROOM = 50_000
"""Bytes (UTF-8) of an answer that come as messages. What is longer goes on in a file."""
FILE_NAME = "answer.md"
MARKDOWN = "text/markdown"
BESIDE_THOUGHTS = LIMIT // 2
"""Size of a first piece that brings the model's thoughts along."""
MAX_THOUGHTS = 8_000
"""Size of thoughts in HTML, as `measure` counts."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A finished answer: the contents of parts ``chat/1`` to ``chat/n``, and the text of ``chat/n+1``, a file; empty
    where there is none."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    rest: str = ""

    @property
    def parts(self) -> int:
        return len(self.messages) + bool(self.rest)


def message(
    markdown: str, key: str, part: str, *, length: int | None = None, thoughts: str = "", **more: Any
) -> dict[str, Any]:
    """The content of one piece, without relation. ``length``: how much of it are the model's words (all). ``thoughts``
    are folded, and only in the HTML."""
    mark = event_content.ours(key, part, length=len(markdown) if length is None else length, **more)
    body = f"{markdown}\n\n{texts.THOUGHTS_FOLDED}" if thoughts else markdown
    content: dict[str, Any] = {"msgtype": "m.text", "body": body, "m.mentions": {}, event_content.OUR_KEY: mark}
    formatted = render(markdown)
    if thoughts:
        formatted = thoughts + (f"<p>{_escaped(markdown)}</p>" if formatted is None else formatted)
    if formatted is not None:
        content |= {"format": "org.matrix.custom.html", "formatted_body": formatted}
    return content


def thread_relation(root: str, event_id: str) -> dict[str, Any]:
    """In the thread; for clients without threads a reply to the question."""
    reply = {"m.in_reply_to": {"event_id": event_id}}
    return {"rel_type": "m.thread", "event_id": root, "is_falling_back": True, **reply}


def growing(text: str, key: str, part: str, *, note: str = "") -> dict[str, Any]:
    """What is shown of an answer that still grows: its first piece, and a sentence of ours under it."""
    first, more_comes = beginning(text)
    apart = more_comes or first.endswith(("```", "$$", "\\]", "|"))
    shown = f"{first}\n\n{texts.MORE_COMES}" if apart else f"{first} {texts.MORE_COMES}".lstrip()
    return message(f"{shown}\n\n{note}" if note else shown, key, part, length=len(first))


def answer(text: str, notes: list[str], key: str, *, thoughts: str = "", **more: Any) -> Made:
    """The finished answer; ``notes`` are sentences at its end, ``thoughts`` what the model thought before it, and
    ``more`` goes into our key of each event.

    The same for the same arguments, however often it has to be made.
    """
    pieces, rest = _in_the_room(text, BESIDE_THOUGHTS if thoughts else LIMIT)
    most = event_content.MAX_CONTENT
    small = [
        one
        for number, piece in enumerate(pieces)
        for one in _small_enough(piece, LIMIT, most // 2 if thoughts and number == 0 else most)
    ]
    notes = [texts.CHAT_GOES_ON, *notes] if rest else notes
    made = []
    for number, piece in enumerate(small, 1):
        shown = "\n\n".join([piece, *notes]) if number == len(small) else piece
        folded = _folded(thoughts) if number == 1 else ""
        made.append(message(shown, key, PartName.answer(number), length=len(piece), thoughts=folded, **more))
    return Made(messages=made, rest=rest)


def _in_the_room(text: str, first: int) -> tuple[list[str], str]:
    """The pieces that come as messages, and what is left for the file."""
    whole = len(text.encode("utf-8", "replace")) <= IN_THE_ROOM
    pieces, left, rest = list[str](), IN_THE_ROOM, text
    for piece, after in cuts(text, first=first):
        left -= len(piece.encode("utf-8", "replace"))
        if left < 0 and not whole:
            return pieces, rest
        pieces.append(piece)
        rest = after
    return pieces, ""


def file_content(rest: str, key: str, part: str, **more: Any) -> dict[str, Any]:
    """The content of the file's message, without where it lies."""
    return {
        "msgtype": "m.file",
        "body": FILE_NAME,
        "filename": FILE_NAME,
        "info": {"mimetype": MARKDOWN, "size": len(rest.encode())},
        "m.mentions": {},
        event_content.OUR_KEY: event_content.ours(key, part, **more),
    }


def _small_enough(piece: str, limit: int, most: int) -> list[str]:
    """Pieces whose HTML, too, fits into an edit: ``<<<<`` grows sevenfold on its way."""
    edited = event_content.edit(message(piece, "", ""), "")
    if event_content.size(edited) <= most or limit < 200:
        return [piece]
    return [small for half in split(piece, limit // 2) for small in _small_enough(half, limit // 2, most)]


# ---------------------------------------------------------------- thoughts


def _folded(thoughts: str) -> str:
    """As HTML that opens when somebody wants to read it."""
    text = _escaped(thoughts.strip())
    if not text:
        return ""
    if measure(text) > MAX_THOUGHTS:
        words = thoughts.strip()
        while measure(_escaped(words)) > MAX_THOUGHTS:
            words = words[: len(words) * 4 // 5]
        text = f"{_escaped(words.rstrip())} …"
    return f"<details><summary>{texts.THOUGHTS}</summary>{text}</details>"


def _escaped(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", "<br>")
