"""Flags: ``otter, hat --steps 30 --no blurry`` into a typed :class:`DrawOptions`.

Pure, never raises, linear in the length of the text. A flag begins with ``--``, or with the dash
that a phone makes of it, at the start of a word. What is not a flag or its value is the prompt and
goes through unchanged; where flags stood between its parts, one space joins them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from .flag_names import ALIASES, BARE, FLAGS, near_flags
from .flag_values import RATIO, READERS, SIZE, Refused
from .options import SHAPES, DrawOptions, UsageProblem

# A hyphen after a long dash: phones make "—-" of three hyphens.
_FLAG = re.compile(r"(?<!\S)(?P<dash>--|[—–―‒]-?)(?P<name>[^\W\d_][\w-]*)[=:]?")
_WORD = re.compile(r"\S+")
_SPACE = re.compile(r"\s*")
_MORE_SAMPLER = re.compile(r"\s+(?:\+\+|2m|2s|3m|sde|karras|ancestral|sgm|uniform)(?!\S)", re.IGNORECASE)
_SAMPLER_A = re.compile(r"\s+a(?=\s*$|\s+(?:--|[—–―‒])\S)", re.IGNORECASE)
_QUOTES = {'"': '"', "'": "'", "“": "“”", "„": "“”", "‘": "‘’", "«": "»", "»": "«"}

_NEAR_LOOKUPS = 16
"""How many long dashes before a word are looked at for a misspelt flag; beyond that it is prose."""


def parse_options(text: str) -> tuple[DrawOptions, UsageProblem | None]:
    """The options in ``text`` and the first problem with them. ``prompt`` is ``None`` if no words are left."""
    reader = _Reader(text)
    options = DrawOptions()
    try:
        for flag, value in reader:
            options = _with(options, flag, value)
    except Refused as refusal:
        return options, refusal.problem
    return replace(options, prompt=reader.prompt or None), None


def asks_for_help(text: str) -> bool:
    """``!draw --help`` and its relatives: the only word, so that a prompt may mention it."""
    return text.strip().lower() in ("--help", "—help", "–help", "-h", "--h", "--usage")


class _Reader:
    """Walks once through the text; yields (flag, raw value) and keeps the rest as the prompt."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lookups = 0
        self._unclosed: set[str] = set()
        self.prompt = ""

    def __iter__(self) -> Iterator[tuple[str, str]]:
        text, start, rest = self._text, 0, []
        found = self._next_flag(0)
        while found is not None:
            rest.append(text[start : found.start()])
            flag = _named(found)
            begin = _skip_space(text, found.end())
            if flag == "no":
                value, start = self._phrase(flag, begin)
            elif flag in BARE or flag in SHAPES:
                value, start = "", found.end()
            else:
                value, start = self._value(flag, begin)
            yield flag, value
            found = self._next_flag(start)
        rest.append(text[start:])
        self.prompt = " ".join(part for part in (piece.strip() for piece in rest) if part)

    def _next_flag(self, position: int) -> re.Match[str] | None:
        """The next flag; refuses what can only be meant as one. A dash of prose is passed over."""
        while (found := _FLAG.search(self._text, position)) is not None:
            name = found["name"].lower()
            if _named(found) in FLAGS:
                return found
            if found["dash"] == "--":
                raise Refused("unknown_flag", name[:40], near_flags(name))
            if self._lookups < _NEAR_LOOKUPS:
                self._lookups += 1
                if near := near_flags(name):
                    raise Refused("unknown_flag", name[:40], near)
            position = found.end()
        return None

    def _phrase(self, flag: str, begin: int) -> tuple[str, int]:
        """Everything up to the next flag; quotes around all of it go."""
        quoted = self._quoted(begin)
        found = self._next_flag(quoted[1] if quoted else begin)
        end = found.start() if found else len(self._text)
        if quoted is not None and not self._text[quoted[1] : end].strip():
            return quoted[0], end
        value = self._text[begin:end].strip()
        if not value:
            raise Refused("no_value", flag)
        return value, end

    def _value(self, flag: str, begin: int) -> tuple[str, int]:
        """One word (or what belongs together: ``768 x 768``, ``dpm++ 2m``, anything in quotes)."""
        text = self._text
        if (quoted := self._quoted(begin)) is not None:
            return quoted
        word = _WORD.match(text, begin)
        if word is None or _is_flag(_FLAG.match(text, begin)):
            raise Refused("no_value", flag)
        end = word.end()
        if flag == "size" and (size := SIZE.match(text, begin)) is not None:
            end = size.end()
        if flag == "ar" and (ratio := RATIO.match(text, begin)) is not None:
            end = ratio.end()
        if flag == "sampler":
            while (more := _MORE_SAMPLER.match(text, end)) is not None:
                end = more.end()
            if (letter := _SAMPLER_A.match(text, end)) is not None:
                end = letter.end()
        return text[begin:end].rstrip(",;"), end

    def _quoted(self, begin: int) -> tuple[str, int] | None:
        """A value in quotes at ``begin`` and where it ends. A quote that nothing closes is a letter."""
        opening = self._text[begin : begin + 1]
        if opening not in _QUOTES or opening in self._unclosed:
            return None
        closing = re.compile(f"[{_QUOTES[opening]}](?!\\S)").search(self._text, begin + 1)
        if closing is None:
            self._unclosed.add(opening)
            return None
        return self._text[begin + 1 : closing.start()].strip(), closing.end()


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _named(found: re.Match[str]) -> str:
    name = found["name"].lower()
    return ALIASES.get(name, name)


def _is_flag(found: re.Match[str] | None) -> bool:
    return found is not None and (found["dash"] == "--" or _named(found) in FLAGS)


def _with(options: DrawOptions, flag: str, value: str) -> DrawOptions:
    """``options`` with one more flag. Raises ``Refused`` for values that no model could take."""
    if flag == "no":
        # Said twice, it is simply more that should not be there.
        before = options.negative_prompt
        return replace(options, negative_prompt=f"{before}, {value}" if before and value else value or before or "")
    if flag in BARE:
        return replace(options, inpaint=True) if flag == "inpaint" else replace(options, explain=True)
    changes = {"aspect": flag} if flag in SHAPES else READERS[flag](flag, value)
    if (other := _other_shape(options, changes)) is not None and other != flag:
        raise Refused("conflict", flag, (other,))
    if any(getattr(options, name) is not None for name in changes):
        raise Refused("twice", flag)
    return replace(options, **changes)


def _other_shape(options: DrawOptions, changes: dict[str, Any]) -> str | None:
    """The flag before that said already which shape, if this one does."""
    if not changes.keys() & {"width", "aspect"}:
        return None
    if options.width is not None:
        return "size"
    return options.aspect if options.aspect in SHAPES or options.aspect is None else "ar"
