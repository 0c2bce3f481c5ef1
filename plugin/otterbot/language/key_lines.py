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

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from . import dashes
from .quotes import QUOTES
from .structures import MAX_ITEMS
from .typed import clean, folded

MAX_CHARACTERS = 16_000
MAX_LINES = 300
MAX_KEYS = 40
WRAPPERS = ("prompt", "structure")
"""Keys below which the others may stand. With words of their own those are the prompt's."""

Reason = Literal[
    "no_key", "unclosed", "bracket", "special", "deep", "many", "long", "items", "json", "json_comma", "json_colon",
    "json_quotes", "json_end", "json_value",
]  # fmt: skip

_KEY = re.compile(
    r"""["'“”„]?(?P<key>[^\W\d_][\w-]{0,24}(?:[ ][\w-]{1,24})?)["'“”]?[ \t]*(?::(?=\s|\Z)|：)[ \t]*(?P<value>.*)""",
    re.DOTALL,
)
_MERGE = re.compile(r"<<\s*:")
_ITEM = re.compile(r"(?:[-–—•*])[ \t]+(?P<text>\S.*)", re.DOTALL)
_FENCE = re.compile(r"[ \t]*(?:`{3,}|~{3,})[ \t]*\w*[ \t]*")
_FENCES = re.compile(r"\A\s*(?:`{3,}|~{3,})(?=\s)|(?<=\s)(?:`{3,}|~{3,})\w*\s*\Z")
_BOUND = re.compile(r"[ \t]*(?:-{3}|—-?|\.{3}|…)[ \t]*")
_COMMENT = re.compile(r"(?:\A|\s)#(?:\s.*|\Z)", re.DOTALL)
_SPECIAL = re.compile(r"&\w+(?:\s|\Z)|\*\w+\Z|!{1,2}\w\S*(?:\s|\Z)")
_FLAG = re.compile(rf"{dashes.DOUBLE}[^\W\d_]")
_OPENS = {"[": "]", "{": "}"}
_QUOTED_AND_FLAGS = re.compile(
    rf"""("(?:[^"\\]|\\.)*+"|'(?:[^']|'')*+'|[“„][^“”]*[“”])\s+({dashes.DOUBLE}[^\W\d_].*)""", re.DOTALL
)
_EMPTY = ("", "~", "null", "Null", "NULL", "[]", "{}")
_ESCAPE = re.compile(r'\\(?:(?P<one>["\\/nt])|x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8}))')
_LETTERS = {"n": "\n", "t": "\t"}
_FLOW = re.compile(r"""\[(?P<inside>[^\[\]]*)\]""", re.DOTALL)
_FLOW_ITEM = re.compile(
    r"""\s*(?:"(?P<a>(?:[^"\\]|\\.)*)"|“(?P<b>[^”]*)”|'(?P<c>(?:[^']|'')*)'|(?P<d>[^,"“']*))\s*(?:,|\Z)"""
)
_JSON = re.compile(r"""\{\s*["“”„](?=[^"“”„\n]{1,40}["“”]\s*[:：])""")
_SMART = str.maketrans("“”„：", '""":')


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


def key_in(line: str) -> tuple[str, str] | None:
    """The key and the value of a line."""
    found = _KEY.fullmatch(line.strip())
    return None if found is None else (found["key"], found["value"].strip())


def find(text: str, begins: Callable[[str, str], bool], belongs: Callable[[str, str], bool]) -> Lines | None:
    """The lines in ``text``; ``None`` if no line ``begins`` them, by its key and value. Lines directly above the first
    one count if they ``belong``.

    Raises :class:`Unreadable`.
    """
    if (opened := _JSON.search(text)) is not None:
        return _json(text, opened.start())
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
    return Lines(entries=tuple(reader.entries), around=(_bare("\n".join(before)), *reader.around), doubtful=doubtful)


def _bare(text: str) -> str:
    """Without the bounds of what is pasted, which may stand in lines of their own, and next to it."""
    lines = [line for line in text.split("\n") if not _FENCE.fullmatch(line) and not _BOUND.fullmatch(line)]
    return _FENCES.sub("", "\n".join(lines))


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
            if self.entries and (_FENCE.fullmatch(line) or _BOUND.fullmatch(line)):
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
        return _bare("\n".join(self._lines[self._at + 1 :]))

    def _begin(self, key: str, value: str, number: int, indent: int) -> None:
        above = self.entries[-1] if self.entries else None
        inside = above is not None and above.line > 1 and indent > above.indent
        if above is not None and inside and not (folded(above.key) in WRAPPERS and not above.values):
            raise Unreadable("deep", number, above.key)
        if len(self.entries) >= MAX_KEYS:
            raise Unreadable("many", number)
        entry = Entry(key=key, line=number, indent=indent)
        self.entries.append(entry)
        if (style := _COMMENT.sub("", value).strip()) and re.fullmatch(r"[|>][+-]?\d?", style):
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
        more = _COMMENT.sub("", said).strip()
        if entry.values:
            entry.values[-1].text += f" {more}"
        else:
            text = value_of(said, number)
            if text is None:
                raise Unreadable("unclosed", number, entry.key)
            entry.values = text[0]


def value_of(value: str, number: int, *, in_list: bool = False) -> tuple[list[Text], bool] | None:
    """A value as it stands in line ``number``, and whether it is a list; ``None`` if double quotes do not close.

    Raises :class:`Unreadable`."""
    if (inside := _in_quotes(value)) is not None:
        return [Text(inside, quoted=True)], False
    if value.startswith('"') and '"' not in value[1:]:
        return None
    value = _COMMENT.sub("", value).strip()
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


# ---------------------------------------------------------------- JSON


def _json(text: str, begin: int) -> Lines:
    """One JSON object; numbers stay as they were typed. Curly quotes around keys and values count as straight ones."""
    if len(text) - begin > 4 * MAX_CHARACTERS:
        raise Unreadable("long", 1 + text.count("\n", 0, begin))
    decoder = json.JSONDecoder(object_pairs_hook=list_of_pairs, parse_int=str, parse_float=str, strict=False)
    mark: json.JSONDecodeError | None = None
    for shape in dict.fromkeys((text, text.translate(_SMART))):
        try:
            pairs, end = decoder.raw_decode(shape, begin)
        except json.JSONDecodeError as error:
            mark = error if mark is None or error.pos > mark.pos else mark
        except RecursionError:
            raise Unreadable("deep", 1, "{") from None
        else:
            entries = _entries(pairs, 1 + text.count("\n", 0, begin))
            return Lines(entries=tuple(entries), around=(_bare(text[:begin]), _bare(text[end:])))
    assert mark is not None
    raise Unreadable(_why(mark.msg), 1 + text.count("\n", 0, mark.pos), text[mark.pos : mark.pos + 40].split("\n")[0])


class _Pairs(list[tuple[str, Any]]):
    """An object of JSON, with each key as often as it stands there."""


def list_of_pairs(pairs: list[tuple[str, Any]]) -> _Pairs:
    return _Pairs(pairs)


def _entries(pairs: _Pairs, line: int) -> list[Entry]:
    found: list[Entry] = []
    for key, value in pairs:
        key = clean(key)
        if isinstance(value, _Pairs):
            if folded(key.strip()) not in WRAPPERS or any(isinstance(inner, _Pairs) for _, inner in value):
                raise Unreadable("deep", line, key)
            found += _entries(value, line)
            continue
        items = value if isinstance(value, list) else [value]
        if any(isinstance(one, (list, _Pairs)) for one in items):
            raise Unreadable("deep", line, key)
        if len(items) > MAX_ITEMS:
            raise Unreadable("items", line, key)
        texts = [Text(clean(_scalar(one)), quoted=True) for one in items if one is not None]
        found.append(Entry(key=key, line=line, values=texts, is_list=isinstance(value, list)))
    if len(found) > MAX_KEYS:
        raise Unreadable("many", line)
    return found


def _scalar(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _why(message: str) -> Reason:
    """The decoder's words for it, as ours."""
    table: tuple[tuple[str, Reason], ...] = (
        ("',' delimiter", "json_comma"), ("':' delimiter", "json_colon"), ("property name", "json_quotes"),
        ("Unterminated", "json_end"), ("Illegal trailing comma", "json_quotes"), ("Expecting value", "json_value"),
    )  # fmt: skip
    return next((reason for part, reason in table if part in message), "json")
