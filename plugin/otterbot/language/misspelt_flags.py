"""Misspelt flags (the table is in :mod:`.flags`): refused where nothing else can be meant, else kept for a note. Only
so many are looked at: beyond that it is prose."""

from __future__ import annotations

import re
from typing import Literal

from . import dashes
from .flag_names import meant
from .option_table import FLAGS
from .problems import Overlooked, Refused
from .typed import folded

_LOOKUPS = 64
_NOTES = 3
_SHOWN = 40
_VALUE = re.compile(r"\s{0,3}(\S{1,64})(?!\S)")


class Missed:
    """One per text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._looked = 0
        self._found: dict[Overlooked, None] = {}

    @property
    def found(self) -> tuple[Overlooked, ...]:
        return tuple(self._found)

    def look(self, seen: re.Match[str], *, glued: bool) -> None:
        """Examine dashes before a word that form no valid flag. Raises :class:`Refused`."""
        flag = meant(folded(seen["name"][:_SHOWN]))
        if flag is None or self._looked >= _LOOKUPS:
            return
        self._looked += 1
        run = dashes.bare(seen["dash"])
        double = dashes.is_double(seen["dash"])
        form: Literal["glued", "one_dash", "spaced"]
        form = "spaced" if seen["space"] else "glued" if glued else "one_dash"
        if form == "glued" and not double:
            return  # a hyphen: semi-portrait
        own_name = folded(seen["name"]) in FLAGS
        value = self._value(flag, seen.end())
        if value is not None and form != "spaced":
            typed = f"{run}{seen['name']} {value}"[:_SHOWN]
            raise Refused(form, typed, (flag, value[:_SHOWN]))
        prose = form == "spaced" and (glued or len(run) < 2)
        if value is not None or (own_name and not prose):
            typed = f"{run}{seen['space']}{seen['name']}"[:_SHOWN]
            note = Overlooked(form=form, typed=typed, flag=flag)
            if len(self._found) < _NOTES:
                self._found[note] = None

    def _value(self, flag: str, position: int) -> str | None:
        """The text behind it, if it is clearly a value of this flag."""
        option = FLAGS[flag]
        kind = option.kind
        if not kind.numeric:
            return None
        begin = position + _spaces(self._text, position)
        if kind.spaced is not None and (whole := kind.spaced.match(self._text, begin)) is not None:
            return kind.unquoted(whole[0])
        word = _VALUE.match(self._text, position)
        if word is None:
            return None
        value = kind.unquoted(word[1])
        try:
            option.read(value)
        except Refused as refusal:
            return value if refusal.problem.code == "too_large" else None
        return value


def _spaces(text: str, position: int) -> int:
    part = text[position : position + 4]
    return len(part) - len(part.lstrip())
