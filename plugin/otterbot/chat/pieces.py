"""A long Markdown text in pieces that fit into events.

Pure. A code block that a cut goes through is closed before it and opened again after it, and a table gets its head
again; also while an answer still grows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .markdown_blocks import is_table

LIMIT = 8_000
"""Size of a piece, as `measure` counts: an edit carries its text four times, and an event has 64 KiB."""

_FENCE = re.compile(r"^ {0,3}(?P<mark>`{3,}|~{3,})(?P<info>.*)$")
_BLOCK = re.compile(r" {0,3}(?:>|#{1,6}[ \t]|[-*+][ \t]|1[.)][ \t])")
"""What ends a table that no blank line ends."""
_NOT_WHOLE = re.compile(r"(?:^|\n)(?:[ \t]*\|[^\n]*)(?:\n[ \t]*[|:-][|: \t-]*)?\Z")


def measure(text: str) -> int:
    """Bytes of ``text`` as JSON with everything but ASCII escaped: what counts before encryption."""
    return len(json.dumps(text)) - 2


@dataclass(frozen=True)
class _Open:
    """What goes on at some line: a code block, or a table."""

    opening: str
    """What begins it again after a cut: the line with the language, or the head of the table."""
    mark: str
    """What closes a code block; empty for a table."""

    def goes_on(self, line: str) -> bool:
        if not self.mark:
            return bool(line.strip()) and _BLOCK.match(line) is None and _fence(line) is None
        found = _FENCE.match(line)
        return found is None or not found["mark"].startswith(self.mark) or bool(found["info"].strip())


def _fence(line: str) -> _Open | None:
    found = _FENCE.match(line)
    if found is None or (found["mark"][0] == "`" and "`" in found["info"]):
        return None
    return _Open(line, found["mark"])


class _State:
    """Goes through lines, and knows what is open behind each."""

    def __init__(self) -> None:
        self.open: _Open | None = None
        self._before = ""

    def next(self, line: str) -> None:
        before, self._before = self._before, line
        if self.open is not None:
            if self.open.goes_on(line):
                return
            was, self.open = self.open, None
            if was.mark:
                return
        if is_table(before, line):
            self.open = _Open(f"{before.strip()}\n{line.strip()}", "")
        else:
            self.open = _fence(line)


def _open_at_end(text: str) -> _Open | None:
    """The code block or table that ``text`` ends in."""
    state = _State()
    for line in text.split("\n"):
        state.next(line)
    return state.open


def close(text: str) -> str:
    """``text`` with the code block that it ends in closed."""
    ends_in = _open_at_end(text)
    return text if ends_in is None or not ends_in.mark else f"{text.rstrip()}\n{ends_in.mark}"


def split(text: str, limit: int = LIMIT, *, first: int | None = None) -> list[str]:
    """``text`` in pieces of at most ``limit`` (the first one of at most ``first``): between paragraphs if it can be,
    else between lines, else words."""
    return [piece for piece, _rest in cuts(text, limit, first=first)]


def cuts(text: str, limit: int = LIMIT, *, first: int | None = None) -> Iterator[tuple[str, str]]:
    """Each piece of ``text``, and the text that comes after it."""
    rest, before, room = text.strip("\n") if text.strip() else "", "", first or limit
    while rest:
        if measure(before + rest) <= room:
            yield close(before + rest), ""
            return
        at = _cut(rest, before, room)
        head, rest = rest[:at].rstrip(), rest[at:].lstrip("\n")
        ends_in = _open_at_end(before + head)
        piece = before + head
        before = "" if ends_in is None or measure(ends_in.opening) > limit // 4 else ends_in.opening + "\n"
        if head.strip():
            yield close(piece), before + rest if rest else ""
            room = limit


def _cut(rest: str, before: str, limit: int) -> int:
    """Where to cut ``rest``, of which not all fits."""
    state = _State()
    for line in before.rstrip("\n").split("\n") if before else ():
        state.next(line)
    # The line that closes a block has to fit as well.
    room = max(limit - measure(before) - 80, limit // 4)
    most = _longest(rest, room)
    lines = rest[:most].split("\n")[:-1]
    following = [*lines[1:], rest[sum(len(line) + 1 for line in lines) :].partition("\n")[0]]
    paragraph = line_end = place = 0
    for line, after in zip(lines, following, strict=False):
        state.next(line)
        place += len(line) + 1
        in_table = state.open is not None and not state.open.mark
        if is_table(line, after) or (in_table and state.open is not None and state.open.opening.endswith(line.strip())):
            continue  # the head of a table stays with its first row
        line_end = place
        if (state.open is None or in_table) and (not line.strip() or not after.strip()):
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


# ---------------------------------------------------------------- what grows


def beginning(text: str) -> tuple[str, bool]:
    """What is shown of an answer that still grows: its first piece, without a table's head or a formula that is not
    whole yet; and whether there is more than that piece."""
    piece, rest = next(cuts(text), ("", ""))
    if rest:
        return piece, True
    ends_in = _open_at_end(text)
    if ends_in is None:
        text = _without_half_formula(text)
        if (head := _NOT_WHOLE.search(text)) is not None:
            text = text[: head.start()]
    return close(text.strip("\n")) if text.strip() else "", False


_MARKS = re.compile(r"`+|\$\$|\\[\s\S]")
_ENDS = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}


def _without_half_formula(text: str) -> str:
    """Without a displayed formula, or one in brackets, that has begun in the last paragraph and not ended. A single
    dollar may be a price."""
    start = text.rfind("\n\n") + 2 if "\n\n" in text else 0
    at = start
    while (found := _MARKS.search(text, at)) is not None:
        mark, at = found[0], found.end()
        ends = mark if mark.startswith("`") else _ENDS.get(mark)
        if ends is None:
            continue
        end = text.find(ends, at)
        if end < 0:
            return text if mark.startswith("`") else text[: found.start()].rstrip()
        at = end + len(ends)
    return text
