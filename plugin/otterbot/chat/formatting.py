"""A model's Markdown as Matrix messages: pieces that fit into events, HTML without surprises.

Pure. A code block that a cut goes through is closed before it and opened again after it, also while an answer still
grows.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import commonmark  # type: ignore[import-untyped]
from mautrix.util.markdown import HtmlEscapingRenderer

from .. import texts
from ..matrix import event_content
from ..store.part_names import PartName

LIMIT = 8_000
"""Size of a piece, as `measure` counts: an edit carries its text four times, and an event has 64 KiB."""
MAX_LINKS = 200
"""The Markdown parser is quadratic in them; text with more is shown as it is."""

_FENCE = re.compile(r"^ {0,3}(?P<mark>`{3,}|~{3,})(?P<info>.*)$")
_SAFE_LINK = re.compile(r"(?:https?|mailto|matrix):", re.IGNORECASE)


def measure(text: str) -> int:
    """Bytes of ``text`` as JSON with everything but ASCII escaped: what counts before encryption."""
    return len(json.dumps(text)) - 2


# ---------------------------------------------------------------- pieces


@dataclass(frozen=True)
class _Fence:
    opening: str
    """The whole line, with the language."""
    mark: str

    def closes(self, line: str) -> bool:
        found = _FENCE.match(line)
        return found is not None and found["mark"].startswith(self.mark) and not found["info"].strip()


def _next_state(fence: _Fence | None, line: str) -> _Fence | None:
    if fence is not None:
        return None if fence.closes(line) else fence
    found = _FENCE.match(line)
    if found is None or (found["mark"][0] == "`" and "`" in found["info"]):
        return None
    return _Fence(line, found["mark"])


def _open_fence(text: str) -> _Fence | None:
    """The code block that ``text`` ends in."""
    fence: _Fence | None = None
    for line in text.split("\n"):
        fence = _next_state(fence, line)
    return fence


def close(text: str) -> str:
    """``text`` with the code block that it ends in closed."""
    fence = _open_fence(text)
    return text if fence is None else f"{text.rstrip()}\n{fence.mark}"


def split(text: str, limit: int = LIMIT) -> list[str]:
    """``text`` in pieces of at most ``limit``: between paragraphs if it can be, else between lines, else words."""
    pieces: list[str] = []
    rest, before = text.strip("\n") if text.strip() else "", ""
    while rest:
        if measure(before + rest) <= limit:
            pieces.append(close(before + rest))
            break
        at = _cut(rest, before, limit)
        head, rest = rest[:at].rstrip(), rest[at:].lstrip("\n")
        fence = _open_fence(before + head)
        if head.strip():
            pieces.append(close(before + head))
        before = "" if fence is None else fence.opening + "\n"
    return pieces


def _cut(rest: str, before: str, limit: int) -> int:
    """Where to cut ``rest``, of which not all fits."""
    fence = _open_fence(before.rstrip("\n")) if before else None
    # The line that closes a block has to fit as well.
    room = max(limit - measure(before) - 80, limit // 4)
    most = _longest(rest, room)
    paragraph = line_end = place = 0
    for line in rest[:most].split("\n")[:-1]:
        fence = _next_state(fence, line)
        place += len(line) + 1
        line_end = place
        if fence is None and (not line.strip() or rest[place : place + 1] == "\n"):
            paragraph = place
    if paragraph >= most // 2:
        return paragraph
    if line_end >= most // 4:
        return line_end
    space = rest.rfind(" ", most // 2, most)
    return space + 1 if space > 0 else most


def _longest(text: str, room: int) -> int:
    """How many characters of ``text`` measure at most ``room``, at least one."""
    low, high = 1, min(len(text), room)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measure(text[:middle]) <= room else (low, middle - 1)
    return low


# ---------------------------------------------------------------- HTML


class _Renderer(HtmlEscapingRenderer):
    """mautrix's renderer, which escapes HTML; here line breaks stay, and nothing is loaded from elsewhere."""

    def softbreak(self, node: Any = None, entering: Any = None) -> None:
        """Models write poems and lists of facts with single line breaks."""
        self.linebreak()

    def link(self, node: Any, entering: bool) -> None:
        if _SAFE_LINK.match(node.destination or ""):
            super().link(node, entering)

    def image(self, node: Any, entering: bool) -> None:
        """As a link: a picture from the web would tell its owner who looks at it."""
        self.link(node, entering)


def render(markdown: str) -> str | None:
    """HTML; ``None`` where the text is better shown as it is."""
    if markdown.count("](") > MAX_LINKS:
        return None
    try:
        html: str = _Renderer().render(commonmark.Parser().parse(markdown))
    except (RecursionError, IndexError, AttributeError, TypeError):  # of a parser that was given nonsense
        return None
    return html.strip()


# ---------------------------------------------------------------- contents


def message(markdown: str, key: str, part: str, *, length: int | None = None) -> dict[str, Any]:
    """The content of one piece, without relation. ``length``: how much of it are the model's words (all)."""
    mark = event_content.ours(key, part, length=len(markdown) if length is None else length)
    content: dict[str, Any] = {"msgtype": "m.text", "body": markdown, "m.mentions": {}, event_content.OUR_KEY: mark}
    html = render(markdown)
    if html is not None:
        content |= {"format": "org.matrix.custom.html", "formatted_body": html}
    return content


def thread_relation(root: str, event_id: str) -> dict[str, Any]:
    """In the thread; for clients without threads a reply to the question."""
    reply = {"m.in_reply_to": {"event_id": event_id}}
    return {"rel_type": "m.thread", "event_id": root, "is_falling_back": True, **reply}


def growing(text: str, key: str, part: str, *, note: str = "") -> dict[str, Any]:
    """What is shown of an answer that still grows: its first piece, and a sentence of ours under it."""
    pieces = split(text)
    first = pieces[0] if pieces else ""
    more = f"\n\n{texts.MORE_COMES}" if len(pieces) > 1 or first.endswith("```") else f" {texts.MORE_COMES}"
    shown = f"{first}{more}"
    return message(f"{shown}\n\n{note}" if note else shown, key, part, length=len(first))


def answer(text: str, notes: list[str], key: str) -> list[dict[str, Any]]:
    """The finished answer as contents of parts ``chat/1`` to ``chat/n``; ``notes`` are sentences at its end.

    The same for the same arguments, however often it has to be made.
    """
    pieces = [small for piece in split(text) for small in _small_enough(piece, LIMIT)]
    made = []
    for number, piece in enumerate(pieces, 1):
        last = number == len(pieces)
        shown = "\n\n".join([piece, *notes]) if last else piece
        made.append(message(shown, key, PartName.answer(number), length=len(piece)))
    return made


def _small_enough(piece: str, limit: int) -> list[str]:
    """Pieces whose HTML, too, fits into an edit: ``<<<<`` grows sevenfold on its way."""
    edited = event_content.edit(message(piece, "", ""), "")
    if event_content.size(edited) <= event_content.MAX_CONTENT or limit < 200:
        return [piece]
    halves = split(piece, limit // 2)
    return [small for half in halves for small in _small_enough(half, limit // 2)]
