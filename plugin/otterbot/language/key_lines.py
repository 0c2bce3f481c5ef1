r"""Lines of keys and values out of a text, in the part of YAML that people type for a prompt; or one JSON object.

Pure and linear. A strict reader of its own, since YAML itself reads prompts as what nobody meant: a colon or an `@` in
them as an error, ``{red|green} hat`` as a mapping, ``12:30`` as a number, ``*hat*`` as an alias.

============================================ ====================================================================
what stands there                            what it is
============================================ ====================================================================
``subject: otter: the movie``                everything behind the first colon, as it stands. Behind the colon comes
                                             a space, or the end of the line
``"subject": "otter",``                      quotes around all of a value go, straight or curly; in double ones
                                             ``\"``, ``\\``, ``\n`` and the like count, in single ones ``''``
lines that are further in                    go on with the value, with a space
``|`` and ``>``, and lines that are          texts of several lines: with their line ends, or with spaces
further in
``- red scarf`` in lines below a key         a list; ``–``, ``•`` and ``*`` do as well
``[red scarf, boots]``, ``["a"]``            a list; ``[hat]`` and ``[cat:dog:0.5]`` are words with a weight
``# …``                                      not read; ``#1`` is a word
``---``, ``...``, ``` ```yaml ```            the bounds of what is pasted
``--steps 30`` in a line or behind words     flags, which the reader of flags gets
``&a``, ``*a``, ``!!str``, ``<<:``           refused: anchors, aliases, tags and merges of YAML
keys below a key                             refused, but below ``prompt:`` and ``structure:``
============================================ ====================================================================
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable

from . import dashes
from .key_json import JSON, read_json
from .key_values import (
    BOUND,
    COMMENT,
    FENCE,
    MAX_CHARACTERS,
    MAX_KEYS,
    MAX_LINES,
    WRAPPERS,
    Entry,
    Lines,
    Text,
    Unreadable,
    bare,
    value_of,
)
from .structures import MAX_ITEMS
from .typed import folded

_KEY = re.compile(
    r"""["'“”„]?(?P<key>[^\W\d_][\w-]{0,24}(?:[ ][\w-]{1,24})?)["'“”]?[ \t]*(?::(?=\s|\Z)|：)[ \t]*(?P<value>.*)""",
    re.DOTALL,
)
_MERGE = re.compile(r"<<\s*:")
_ITEM = re.compile(r"(?:[-–—•*])[ \t]+(?P<text>\S.*)", re.DOTALL)
_FLAG = re.compile(rf"{dashes.DOUBLE}[^\W\d_]")
_QUOTED_AND_FLAGS = re.compile(
    rf"""("(?:[^"\\]|\\.)*+"|'(?:[^']|'')*+'|[“„][^“”]*[“”])\s+({dashes.DOUBLE}[^\W\d_].*)""", re.DOTALL
)


_IN_QUOTES = re.compile(r"""(?:[:：]|(?:^|\n)[ \t]*[-–—•*])[ \t]+'(?:[^'\n]|'')*+""")
"""A quoted value of a line, or an item of a list, up to its closing quote."""


def _json_in(text: str) -> int | None:
    """Where an object of JSON begins. One within a quoted value is that value's."""
    quoted = [found.span() for found in _IN_QUOTES.finditer(text)]
    begins = [begin for begin, _ in quoted]
    for opened in JSON.finditer(text):
        before = bisect_left(begins, opened.start())
        if before == 0 or opened.start() >= quoted[before - 1][1]:
            return opened.start()
    return None


def key_in(line: str) -> tuple[str, str] | None:
    """The key and the value of a line."""
    found = _KEY.fullmatch(line.strip())
    return None if found is None else (found["key"], found["value"].strip())


def find(text: str, begins: Callable[[str, str], bool], belongs: Callable[[str, str], bool]) -> Lines | None:
    """The lines in ``text``; ``None`` if no line ``begins`` them, by its key and value. Lines directly above the first
    one count if they ``belong``.

    Raises :class:`Unreadable`.
    """
    if (opened := _json_in(text)) is not None:
        return read_json(text, opened)
    lines = text.split("\n")
    keys = [None if len(line) > MAX_CHARACTERS else key_in(line) for line in lines]
    first = next((number for number, key in enumerate(keys) if key is not None and begins(*key)), None)
    if first is None:
        return None
    while first and (above := keys[first - 1]) is not None and belongs(*above):
        first -= 1
    before = [line for line in lines[:first] if not line.startswith("# ")]
    doubtful = tuple(key[0] for key in keys[:first] if key is not None)
    if len(lines) - first > MAX_LINES:
        raise Unreadable("many", first + 1)
    if sum(map(len, lines[first:])) > MAX_CHARACTERS:
        raise Unreadable("long", first + 1)
    reader = _Reader(lines, first)
    reader.read()
    return Lines(entries=tuple(reader.entries), around=(bare("\n".join(before)), *reader.around), doubtful=doubtful)


class _Reader:
    """Reads the lines from ``first`` on."""

    def __init__(self, lines: list[str], first: int) -> None:
        self._lines = lines
        self._at = first
        self.entries: list[Entry] = []
        self.around: list[str] = []

    def read(self) -> None:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            said = line.strip()
            if self.entries and (FENCE.fullmatch(line) or BOUND.fullmatch(line)):
                self.around.append(self._behind())
                return
            number, indent = self._at + 1, len(line) - len(line.lstrip())
            self._at += 1
            if not said or said == "#" or said.startswith("# "):
                continue
            if _FLAG.match(said):
                self.around.append(said)
            elif _MERGE.match(said):
                raise Unreadable("special", number, said)
            elif (key := key_in(said)) is not None:
                self._begin(*key, number, indent)
            else:
                self._go_on(said, number, indent)

    def _behind(self) -> str:
        """What stands behind the last line; bounds do not count."""
        return bare("\n".join(self._lines[self._at + 1 :]))

    def _begin(self, key: str, value: str, number: int, indent: int) -> None:
        above = self.entries[-1] if self.entries else None
        inside = above is not None and above.line > 1 and indent > above.indent
        if above is not None and inside and not (folded(above.key) in WRAPPERS and not above.values):
            raise Unreadable("deep", number, above.key)
        if len(self.entries) >= MAX_KEYS:
            raise Unreadable("many", number)
        entry = Entry(key=key, line=number, indent=indent)
        self.entries.append(entry)
        if (style := COMMENT.sub("", value).strip()) and re.fullmatch(r"[|>][+-]?\d?", style):
            entry.values = [Text(self._block(folds=style[0] == ">"), quoted=True)]
            return
        value = self._without_flags(value)
        while (text := value_of(value, number)) is None and self._at < len(self._lines):
            value += "\n" + self._lines[self._at].strip()  # quotes that close further down
            self._at += 1
        if text is None:
            raise Unreadable("unclosed", number, key)
        entry.values, entry.is_list = text

    def _without_flags(self, value: str) -> str:
        """Flags behind a value in quotes; without quotes whoever reads the value takes them out."""
        found = _QUOTED_AND_FLAGS.fullmatch(value)
        if found is None:
            return value
        self.around.append(found[2])
        return found[1]

    def _block(self, *, folds: bool) -> str:
        """The lines of a text behind ``|`` or ``>``: as far in as the first of them."""
        taken: list[str] = []
        depth = 0
        while self._at < len(self._lines):
            line = self._lines[self._at]
            indent = len(line) - len(line.lstrip())
            depth = depth or (indent if line.strip() else 0)
            if line.strip() and (indent < depth or not depth):
                break
            taken.append(line[depth:].rstrip())
            self._at += 1
        return " ".join(line.strip() for line in taken if line.strip()) if folds else "\n".join(taken).strip("\n")

    def _go_on(self, said: str, number: int, indent: int) -> None:
        """A line without a key: an item of a list, or more of a value."""
        entry = self.entries[-1] if self.entries else None
        item = _ITEM.fullmatch(said)
        if entry is not None and item is not None and (entry.is_list or not entry.values):
            text = value_of(self._without_flags(item["text"]), number, in_list=True)
            if text is None:
                raise Unreadable("unclosed", number, entry.key)
            entry.values += text[0]
            entry.is_list = True
            if len(entry.values) > MAX_ITEMS:
                raise Unreadable("items", number, entry.key)
            return
        if entry is None or indent <= entry.indent:
            raise Unreadable("no_key", number, said)
        more = COMMENT.sub("", said).strip()
        if entry.values:
            entry.values[-1].text += f" {more}"
        else:
            text = value_of(said, number)
            if text is None:
                raise Unreadable("unclosed", number, entry.key)
            entry.values = text[0]
