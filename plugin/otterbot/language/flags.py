r"""Flags: ``otter, hat --steps 30 --no blurry`` into a typed :class:`DrawOptions`.

Pure, never raises, linear in the length of the text, which has been cleaned before (:mod:`.typed`). What is not a flag
or its value is the prompt and goes through unchanged; where flags stood between its parts, one space joins them.

=================================== ==============================================================================
what stands there                   what it is
=================================== ==============================================================================
``--steps 5`` ``—steps 5``          a flag: two or more dashes of any kind and mixture, or a long one, at the start of a
``−−steps 5`` ``\-\-steps 5``       word or behind a comma, directly before the name of a flag. Backslashes before
                                    dashes count for nothing
``--stepz 5`` ``—stepz 5``          refused, with the flag that may be meant. Several hyphens before any other word are
                                    refused too; long dashes before other words are prose
``otter--steps 5``                  directly behind a word: refused, if a value of the flag follows; it is hardly
``otter—steps 5``                   prose, and not surely a flag
``salt-and-pepper—steps of stone``  the same without a value: words, and a note
``-steps 5`` ``-n 4`` ``- -n 4``    one short dash: refused, if a value follows; else words, with a note for a flag's
                                    own name (``-no hat``)
``-- steps 5``                      a space behind the dashes: words, and a note; likewise ``— steps 5`` and
                                    ``- steps 5``, but those without a value are prose
=================================== ==============================================================================
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from . import dashes
from .flag_names import ALIASES, near_flags
from .misspelt_flags import Missed
from .option import Option
from .option_kinds import Several
from .option_table import FIELDS, FLAGS
from .option_values import SHAPES
from .options import DrawOptions
from .problems import Overlooked, Refused, UsageProblem
from .quotes import QUOTES
from .typed import folded

_FLAG = re.compile(
    rf"(?<![{dashes.ANY}\\])(?P<dash>{dashes.RUN})(?P<space>[ \t]{{0,3}})"
    r"(?P<name>[^\W\d_]\w*+(?:[-‐‑]\w++)*+)[=:：＝]?"
)
_WORD = re.compile(r"\S+")
_SPACE = re.compile(r"\s*")
BEFORE = ",;،，、；。"
"""Behind these a flag may begin without a space."""

_NEAR_LOOKUPS = 16
"""How many dashes before a word are looked at for a misspelt flag; beyond that it is prose."""


def parse_options(text: str) -> tuple[DrawOptions, UsageProblem | None]:
    """The options in ``text`` and the first problem with them. ``prompt`` is ``None`` if no words are left."""
    return read_flags(text)[:2]


def read_flags(text: str) -> tuple[DrawOptions, UsageProblem | None, tuple[Overlooked, ...]]:
    """The same, and what looks like a flag and was read as words. Words and those of ``--prompt`` both count."""
    options, words, problem, overlooked = read_words(text)
    if problem is None and words:
        options = replace(options, prompt=words if options.prompt is None else f"{words}, {options.prompt}")
    return options, problem, overlooked


def read_words(text: str) -> tuple[DrawOptions, str, UsageProblem | None, tuple[Overlooked, ...]]:
    """The flags, and the words around them by themselves; ``prompt`` is what stands behind its flag."""
    try:
        options, words, overlooked = read_pieces([text])
    except Refused as refusal:
        return DrawOptions(), "", refusal.problem, ()
    return options, words[0], None, overlooked


def read_pieces(
    pieces: Sequence[str], more: Sequence[tuple[Option, str]] = ()
) -> tuple[DrawOptions, list[str], tuple[Overlooked, ...]]:
    """The flags of several texts together, and of each the words around them; ``more``: options with their values that
    are said in another way. Raises :class:`Refused`."""
    options = DrawOptions()
    readers = [_Reader(piece) for piece in pieces]
    for option, value in (*(said for reader in readers for said in reader), *more):
        options = _with(options, option, value)
    check_sweep(options)
    missed = dict.fromkeys(one for reader in readers for one in reader.missed.found)
    return options, [reader.prompt for reader in readers], tuple(missed)


class _Reader:
    """Walks once through the text; yields (option, raw value) and keeps the rest as the prompt."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lookups = 0
        self._unclosed: set[str] = set()
        self.missed = Missed(text)
        self.prompt = ""

    def __iter__(self) -> Iterator[tuple[Option, str]]:
        text, start, rest = self._text, 0, []
        found = self._next_flag(0)
        while found is not None:
            rest.append(text[start : found.start()])
            option = FLAGS[_named(found)]
            begin = _skip_space(text, found.end())
            if option.kind.phrase:
                value, start = self._phrase(option, begin)
            elif option.kind.bare:
                value, start = "", found.end()
            else:
                value, start = self._value(option, begin)
            yield option, value
            found = self._next_flag(start)
        rest.append(text[start:])
        self.prompt = " ".join(part for part in (piece.strip() for piece in rest) if part)

    def _next_flag(self, position: int) -> re.Match[str] | None:
        """The next flag; refuses what can only be meant as one. A dash of prose is passed over."""
        while (found := _FLAG.search(self._text, position)) is not None:
            if not self._begins(found):
                self.missed.look(found, glued=not self._at_start(found))
            elif _named(found) in FLAGS:
                return found
            else:
                self._refuse_if_meant(found)
            position = found.end("name")
        return None

    def _refuse_if_meant(self, found: re.Match[str]) -> None:
        name = unicodedata.normalize("NFKC", found["name"]).lower()
        if dashes.is_no_prose(found["dash"]):
            raise Refused("unknown_flag", name[:40], near_flags(name))
        if self._lookups < _NEAR_LOOKUPS:
            self._lookups += 1
            if near := near_flags(name):
                raise Refused("unknown_flag", name[:40], near)

    def _at_start(self, found: re.Match[str]) -> bool:
        before = self._text[found.start() - 1 : found.start()]
        return not before or before.isspace() or before in BEFORE

    def _begins(self, found: re.Match[str] | None) -> bool:
        """Does a flag begin there, of whatever name?"""
        return found is not None and not found["space"] and dashes.is_double(found["dash"]) and self._at_start(found)

    def _phrase(self, option: Option, begin: int) -> tuple[str, int]:
        """Everything up to the next flag; quotes around all of it go."""
        quoted = self._quoted(begin)
        found = self._next_flag(quoted[1] if quoted else begin)
        end = found.start() if found else len(self._text)
        if quoted is not None and not self._text[quoted[1] : end].strip():
            return quoted[0], end
        value = self._text[begin:end].strip()
        if not value:
            raise Refused("no_value", option.name)
        return value, end

    def _value(self, option: Option, begin: int) -> tuple[str, int]:
        """One word (or what belongs together: ``768 x 768``, ``dpm++ 2m``, anything in quotes)."""
        text = self._text
        if (quoted := self._quoted(begin)) is not None:
            return quoted
        word, found = _WORD.match(text, begin), _FLAG.match(text, begin)
        is_flag = found is not None and self._begins(found)
        if word is None or (found and is_flag and (dashes.is_no_prose(found["dash"]) or _named(found) in FLAGS)):
            raise Refused("no_value", option.name)
        end = option.kind.end(text, begin, word.end())
        return option.kind.unquoted(text[begin:end]), end

    def _quoted(self, begin: int) -> tuple[str, int] | None:
        """A value in quotes at ``begin`` and where it ends. A quote that nothing closes is a letter."""
        opening = self._text[begin : begin + 1]
        if opening not in QUOTES or opening in self._unclosed:
            return None
        closing = re.compile(f"[{QUOTES[opening]}](?!\\S)").search(self._text, begin + 1)
        if closing is None:
            self._unclosed.add(opening)
            return None
        return self._text[begin + 1 : closing.start()].strip(), closing.end()


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _named(found: re.Match[str]) -> str:
    name = folded(found["name"])
    return ALIASES.get(name, name)


def _with(options: DrawOptions, option: Option, value: str) -> DrawOptions:
    """``options`` with one more flag. Raises ``Refused`` for values that no model could take."""
    before = option.value(options)
    changes = option.read(value, before)
    if isinstance(option.kind, Several):
        return replace(options, **changes)
    if option.kind.phrase:
        # Said twice, it is simply more that should not be there.
        changes = {
            name: f"{before}, {text}" if before and text else text or before or "" for name, text in changes.items()
        }
        return replace(options, **changes)
    if (other := _other_shape(options, changes)) is not None and other != option.name:
        raise Refused("conflict", option.name, (other,))
    if before is True and True not in changes.values():
        raise Refused("conflict", option.name, (FIELDS[option.fields[0]].name,))
    if before is not None and before is not True:
        raise Refused("twice", option.name)
    return replace(options, **changes)


def check_sweep(options: DrawOptions) -> None:
    """One value and several of the same setting cannot both be meant. Raises :class:`Refused`."""
    for axis in options.sweep or ():
        option = FLAGS.get(axis.option)
        if option is None or axis.option in ("variation", "hires"):  # they say more than the strength
            continue
        if option.value(options) is not None:
            raise Refused("conflict", axis.option, ("sweep",))
        if axis.option == "size" and options.aspect is not None:
            raise Refused("conflict", options.aspect if options.aspect in SHAPES else "ar", ("sweep",))
    for name, typed in (("count", options.count), ("film", options.film)):  # they come on one sheet
        if options.sweep and typed is not None:
            raise Refused("conflict", name, ("sweep",))


def _other_shape(options: DrawOptions, changes: dict[str, Any]) -> str | None:
    """The flag before that said already which shape, if this one does."""
    if not changes.keys() & {"width", "aspect"}:
        return None
    if options.width is not None:
        return "size"
    return options.aspect if options.aspect in SHAPES or options.aspect is None else "ar"
