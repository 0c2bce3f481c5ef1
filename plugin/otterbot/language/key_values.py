"""Values of keys as people type them: in quotes, in lists, plain; and what reading them ends in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from .quotes import QUOTES
from .structures import MAX_ITEMS
from .typed import clean

MAX_CHARACTERS = 16_000
MAX_LINES = 300
MAX_KEYS = 40
WRAPPERS = ("prompt", "structure")
"""Keys below which the others may stand. With words of their own those are the prompt's."""

Reason = Literal[
    "no_key", "unclosed", "bracket", "special", "deep", "many", "long", "items", "json", "json_comma", "json_colon",
    "json_quotes", "json_last", "json_end", "json_value",
]  # fmt: skip

FENCE = re.compile(r"[ \t]*(?:`{3,}|~{3,})[ \t]*\w*[ \t]*")
_FENCES = re.compile(r"\A\s*(?:`{3,}|~{3,})(?=\s)|(?<=\s)(?:`{3,}|~{3,})\w*\s*\Z")
BOUND = re.compile(r"[ \t]*(?:-{3}|—-?|\.{3}|…)[ \t]*")
"""Lines that only bound what is pasted."""
COMMENT = re.compile(r"(?:\A|\s)#(?:\s.*|\Z)", re.DOTALL)
_SPECIAL = re.compile(r"&\w+(?:\s|\Z)|\*\w+\Z|!{1,2}\w\S*(?:\s|\Z)")
_OPENS = {"[": "]", "{": "}"}
_EMPTY = ("", "~", "null", "Null", "NULL", "[]", "{}")
_ESCAPE = re.compile(r'\\(?:(?P<one>["\\/nt])|x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8}))')
_LETTERS = {"n": "\n", "t": "\t"}
_FLOW = re.compile(r"""\[(?P<inside>[^\[\]]*)\]""", re.DOTALL)
_FLOW_ITEM = re.compile(
    r"""\s*(?:"(?P<a>(?:[^"\\]|\\.)*)"|“(?P<b>[^”]*)”|'(?P<c>(?:[^']|'')*)'|(?P<d>[^,"“']*))\s*(?:,|\Z)"""
)


class Unreadable(Exception):
    """It is meant as lines of keys and cannot be read as such: why, in which line (from 1) and what stands there."""

    def __init__(self, reason: Reason, line: int, shown: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.shown = shown[:60]


@dataclass
class Text:
    """A value. In quotes it holds no flags."""

    text: str
    quoted: bool = False


@dataclass
class Entry:
    """A key, as it was typed, and its values: none, one, or a list."""

    key: str
    line: int
    indent: int = 0
    values: list[Text] = field(default_factory=list)
    is_list: bool = False


@dataclass(frozen=True, kw_only=True)
class Lines:
    entries: tuple[Entry, ...]
    around: tuple[str, ...]
    """What stands before, between and behind them: words and flags."""
    doubtful: tuple[str, ...] = ()
    """What stands before a colon in lines before the first key, which are words."""


def value_of(value: str, number: int, *, in_list: bool = False) -> tuple[list[Text], bool] | None:
    """A value as it stands in line ``number``, and whether it is a list; ``None`` if double quotes do not close.

    Raises :class:`Unreadable`."""
    if (inside := _in_quotes(value)) is not None:
        return [Text(inside, quoted=True)], False
    if value.startswith('"') and '"' not in value[1:]:
        return None
    value = COMMENT.sub("", value).strip()
    if value in _EMPTY:
        return [], False
    if _SPECIAL.match(value):
        raise Unreadable("special", number, value)
    if value[0] in _OPENS and value.count(value[0]) > value.count(_OPENS[value[0]]):
        raise Unreadable("bracket", number, value)
    if not in_list and (items := _flow(value)) is not None:
        if len(items) > MAX_ITEMS:
            raise Unreadable("items", number)
        return items, True
    return [Text(value)], False


def _in_quotes(value: str) -> str | None:
    """A value that stands in quotes as a whole; a comma or a comment may follow."""
    closing = QUOTES.get(value[:1])
    if closing is None:
        return None
    if value[0] == '"':
        found = re.compile(r'"((?:[^"\\]|\\.)*+)"\s*,?\s*(?:#\s.*)?', re.DOTALL).fullmatch(value)
        return None if found is None else _unescaped(found[1])
    if value[0] == "'":
        found = re.compile(r"'((?:[^']|'')*+)'\s*,?\s*(?:#\s.*)?", re.DOTALL).fullmatch(value)
        return None if found is None else found[1].replace("''", "'")
    end = re.compile(rf"[^{closing}]*([{closing}])\s*,?\s*(?:#\s.*)?", re.DOTALL).fullmatch(value, 1)
    return None if end is None else value[1 : end.start(1)]


def _unescaped(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        if found["one"]:
            return _LETTERS.get(found["one"], found["one"])
        number = int(found["x"] or found["u"] or found["U"], 16)
        return chr(number) if number < 0x110000 else found[0]

    return clean(_ESCAPE.sub(one, text))


def _flow(value: str) -> list[Text] | None:
    """``[a, b]``, ``["a"]``; ``None``: it is none, but perhaps words with a weight."""
    whole = _FLOW.fullmatch(value)
    if whole is None:
        return None
    items: list[Text] = []
    inside, at, quoted = whole["inside"], 0, False
    while at < len(inside):
        found = _FLOW_ITEM.match(inside, at)
        if found is None:
            return None
        in_quotes = next((found[name] for name in "abc" if found[name] is not None), None)
        text = found["d"].strip() if in_quotes is None else in_quotes
        if in_quotes is None and re.search("[:|]", text):
            return None
        quoted = quoted or in_quotes is not None
        if text:
            items.append(Text(_unescaped(text) if found["a"] is not None else text, quoted=in_quotes is not None))
        at = found.end() if found.end() > at else at + 1
    return items if quoted or "," in inside else None


def bare(text: str) -> str:
    """Without the bounds of what is pasted, which may stand in lines of their own, and next to it."""
    lines = [line for line in text.split("\n") if not FENCE.fullmatch(line) and not BOUND.fullmatch(line)]
    return _FENCES.sub("", "\n".join(lines))
