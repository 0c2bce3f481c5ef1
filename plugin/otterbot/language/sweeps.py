r"""Sweeps: ``cfg 4..16/5 steps 10,20,40`` into axes with their values, which are read as the flags' own.

=============================== ====================================================================================
what is typed                   what it is
=============================== ====================================================================================
``cfg 4..16`` ``cfg=4..16``     a few values from 4 to 16, evenly: 4, 7, 10, 13, 16. ``…``, ``...`` and, between two
``cfg: 4…16`` ``cfg 4-16``      numbers, a dash say the same; ``16..4`` goes down
``cfg 4..16/5``                 five of them
``cfg 4..16+4``                 every fourth
``steps 10,20, 40``             these
``size 512x768,768x512``        a range of sizes is one of squares: ``size 512..1024/3``
``sampler euler a, unipc``      names may have spaces; what holds a comma stands in quotes
``lora penguin 0.2..1``         the weight of that LoRA; its name may be left out where there is one only
``words "hat|crown|no hat"``    words of the prompt, and what takes their place; nothing between two bars takes them out
=============================== ====================================================================================

Pure, raises `Refused` only, linear in the length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from difflib import get_close_matches
from typing import Any

from . import dashes
from .composite_kinds import Size
from .option_kinds import BadValue, Kind, Name, NeverTyped, Number, Several, Whole
from .option_values import Axis
from .problems import Refused
from .quotes import QUOTES, split, unquoted

MOST_AXES = 2
MOST_VALUES = 64
"""Of one axis; the worker draws no more fields."""
SHOWN = 40
"""Characters of what was typed that a problem repeats."""
LORA, WORDS = "lora", "words"
FIELD_OF = {"cfg": "guidance_scale", "clip-skip": "clip_skip"}
"""What the worker calls an axis; all others as they are typed."""
OPTION_OF = {field: option for option, field in FIELD_OF.items()}
FREE = frozenset({"sampler", "model", "style", WORDS})
"""Axes whose values may hold spaces without quotes."""
COUNTS = (5, 6, 4)
"""How many values a range has that does not say it: the first of these that gives the roundest steps."""

_NAME = re.compile(r"[^\W\d_][\w-]*")
_RANGE = re.compile(
    rf"(?P<first>[+-]?[\d.,]*\d)\s*(?:\.{{2,3}}|…|(?<=\d)\s*[{dashes.ANY}]\s*(?=\d))\s*(?P<last>[+-]?\.?\d[\d.]*)"
    r"(?:\s*/\s*(?P<count>\d{1,3})|\s*\+\s*(?P<step>\d[\d.]*))?"
)
_ENDS = ".,;!?。！？，；"


class Weight(Number):
    """Of a LoRA: a number that may be negative, in records too."""

    def recorded(self, value: Any) -> float:
        negative = isinstance(value, str) and value.startswith("-")
        number = super().recorded(value[1:] if negative else value)
        return -number if negative else number


@dataclass(frozen=True)
class SweepOf(Several):
    """One or two axes. ``kinds``: how the values of each are read; ``aliases``: other words for an axis."""

    kinds: Mapping[str, Kind]
    aliases: Mapping[str, str]
    phrase = True

    def typed(self, text: str) -> tuple[Axis, ...]:
        text = text.strip()
        while text and text[-1] in _ENDS and not (text[-1] == "," and "|" in text):
            text = text[:-1].rstrip()
        if not text:
            raise Refused("no_value", "sweep")
        return self._checked(tuple(self._axis(name, values) for name, values in self._split(text)))

    def together(self, before: tuple[Axis, ...], value: tuple[Axis, ...]) -> tuple[Axis, ...]:
        return self._checked(before + value)

    def recorded(self, value: Any) -> tuple[Axis, ...]:
        """What :meth:`sent` has made. Raises :class:`NeverTyped`."""
        if not isinstance(value, list) or not 1 <= len(value) <= MOST_AXES:
            raise NeverTyped
        try:
            return self._checked(tuple(self._recorded_axis(one) for one in value))
        except Refused:
            raise NeverTyped from None

    def sent(self, value: tuple[Axis, ...]) -> list[dict[str, Any]]:
        return [self._sent_axis(axis) for axis in value]

    def _sent_axis(self, axis: Axis) -> dict[str, Any]:
        values = [
            list(one) if isinstance(one, tuple) else one for one in map(self.kinds[axis.option].sent, axis.values)
        ]
        sent = {"field": FIELD_OF.get(axis.option, axis.option), "values": values}
        return sent if axis.name is None else {**sent, "name": axis.name}

    def _recorded_axis(self, value: Any) -> Axis:
        told = value if isinstance(value, Mapping) else {}
        field = str(told.get("field"))
        option = OPTION_OF.get(field, "" if field in FIELD_OF else field)
        values, name = told.get("values"), told.get("name")
        if option not in self.kinds or not isinstance(values, list) or not 2 <= len(values) <= MOST_VALUES:
            raise NeverTyped
        read = tuple(self._recorded_value(option, one) for one in values)
        return Axis(option=option, values=read, name=None if name is None else Name().recorded(name))

    def _recorded_value(self, option: str, value: Any) -> Any:
        if isinstance(self.kinds[option], Size) and not (isinstance(value, list) and len(value) == 2):
            raise NeverTyped
        return self.kinds[option].recorded(value)

    def _checked(self, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        if len(axes) > MOST_AXES:
            raise Refused("sweep_axes", "sweep")
        first, *rest = axes
        if rest and _about(first) == _about(rest[0]):
            raise Refused("sweep_twice", first.option)
        return axes

    def _split(self, text: str) -> Iterator[tuple[str, str]]:
        """The name of each axis with what stands behind it."""
        starts = [found for found in _words(text) if self._named(found[0]) is not None and _is_name(text, found)]
        if not starts or text[: starts[0].start()].strip():
            raise self._unknown(text)
        for found, behind in zip(starts, [*starts[1:], None], strict=True):
            end = len(text) if behind is None else behind.start()
            values = re.sub(r"\A\s*[=:：＝]?\s*", "", text[found.end() : end]).strip().rstrip(";；").strip()
            yield str(self._named(found[0])), values

    def _named(self, word: str) -> str | None:
        name = unicodedata.normalize("NFKC", word).casefold()
        name = self.aliases.get(name, name)
        return name if name in self.kinds else None

    def _unknown(self, text: str) -> Refused:
        typed = re.split(r"[\s=:：＝]", text, maxsplit=1)[0]
        if (name := self._named(typed)) is not None:
            return Refused("sweep_values", name)
        names = [*self.kinds, *self.aliases]
        near = get_close_matches(typed[:SHOWN].casefold(), names, n=2, cutoff=0.62)
        meant = dict.fromkeys(self.aliases.get(name, name) for name in near)
        return Refused("sweep_axis", typed[:SHOWN], tuple(meant))

    def _axis(self, name: str, text: str) -> Axis:
        lora = None
        if name == LORA:
            lora, text = _lora_name(text)
        if not text:
            raise Refused("sweep_values", name)
        values = _words_of(text) if name == WORDS else self._values(name, text)
        values = list(dict.fromkeys(values))
        if len(values) < 2:
            raise Refused("sweep_values", name)
        if len(values) > MOST_VALUES:
            raise Refused("sweep_many", name)
        return Axis(option=name, values=tuple(values), name=lora)

    def _values(self, name: str, text: str) -> list[Any]:
        kind = self.kinds[name]
        ranged = self._range(name, kind, text)
        if ranged is not None:
            return ranged
        found = []
        for one in split(text, ",，、;"):
            if not one:
                continue
            word, *more = [one] if name in FREE else one.split()
            if more and unquoted(one) == one:
                if kind.spaced is not None and kind.spaced.fullmatch(one):
                    word = one
                elif _NAME.fullmatch(more[0]):
                    raise self._unknown(" ".join(more))  # a second axis whose name nobody knows
                else:
                    word = one
            found += self._range(name, kind, word) or [self._value(name, kind, unquoted(word))]
        return found

    def _value(self, name: str, kind: Kind, text: str) -> Any:
        try:
            return kind.typed(kind.unquoted(text))
        except BadValue:
            raise Refused("sweep_value", name, (text[:SHOWN],)) from None

    def _range(self, name: str, kind: Kind, text: str) -> list[Any] | None:
        found = _RANGE.fullmatch(unicodedata.normalize("NFKC", text).strip().replace("...", ".."))
        if found is None or not isinstance(kind, Whole | Number | Size):
            return None
        whole = not isinstance(kind, Number)
        try:
            first, last = (Decimal(found[end].replace(",", ".")) for end in ("first", "last"))
            for end in (first, last):
                self._value(name, kind, f"{end:f}")
            values = _evenly(first, last, found["count"], found["step"], whole=whole)
        except ArithmeticError:
            raise Refused("sweep_value", name, (text[:SHOWN],)) from None
        if len(values) > MOST_VALUES:
            raise Refused("sweep_many", name)
        return [self._value(name, kind, f"{value:f}") for value in values]


def _about(axis: Axis) -> tuple[str, ...]:
    """What two axes of one sweep may not both be about."""
    if axis.option == WORDS:
        return WORDS, str(axis.values[0]).casefold()
    return axis.option, (axis.name or "").casefold()


def _words(text: str) -> Iterator[re.Match[str]]:
    """Words outside quotes."""
    at = 0
    while at < len(text):
        opens = text[at] in QUOTES and (at == 0 or not text[at - 1].isalnum())
        if opens and (closing := re.compile(f"[{QUOTES[text[at]]}]").search(text, at + 1)) is not None:
            at = closing.end()
        elif (word := _NAME.match(text, at)) is not None:
            yield word
            at = word.end()
        else:
            at += 1


def _is_name(text: str, found: re.Match[str]) -> bool:
    """Whether a word stands where an axis has its name: values follow, and none goes on from before."""
    before, behind = text[: found.start()].rstrip(" \t"), text[found.end() :]
    spaced = found.start() == 0 or text[found.start() - 1].isspace() or before[-1:] in ";；"
    return spaced and before[-1:] not in ("|", ",", "，") and re.match(r"[=:：＝]|\s+[^\s|,]", behind) is not None


def _lora_name(text: str) -> tuple[str | None, str]:
    """``penguin 0.2..1``: the LoRA's name, which may be left out, and the rest."""
    pieces = list(split(text, " \t="))
    if not pieces or re.match(r"[+-]?\.?\d", pieces[0]) or len(pieces) < 2:
        return None, text
    name = unquoted(pieces[0].rstrip(":"))
    return name, " ".join(piece for piece in pieces[1:] if piece)


def _words_of(text: str) -> list[str]:
    """The words that are there, and what takes their place."""
    bare = unquoted(text)
    found = (
        [unquoted(one) for one in split(bare, "|")] if "|" in bare else [unquoted(one) for one in split(text, ",，、")]
    )
    if not found[0]:
        raise Refused("sweep_values", WORDS)
    return found


def _evenly(first: Decimal, last: Decimal, count: str | None, step: str | None, *, whole: bool) -> list[Decimal]:
    span = last - first
    if span == 0:
        return [first]
    if step is not None:
        by = Decimal(step)
        if by <= 0:
            raise ArithmeticError
        many = min(int(abs(span) / by), MOST_VALUES)
        return [first + by.copy_sign(span) * number for number in range(many + 1)]
    number = int(count) if count is not None else _fitting(span, whole=whole)
    if number < 2:
        raise ArithmeticError
    places = Decimal(1) if whole else Decimal("0.001")
    values = (first + span * at / (number - 1) for at in range(min(number, MOST_VALUES + 1)))
    return list(dict.fromkeys(value.quantize(places, ROUND_HALF_EVEN).normalize() for value in values))


def _fitting(span: Decimal, *, whole: bool) -> int:
    """How many values make the roundest steps of ``span``."""
    if abs(span) <= COUNTS[0] and span == span.to_integral_value() and (whole or abs(span) > 2):
        return int(abs(span)) + 1
    if whole and abs(span) < COUNTS[0]:
        return int(abs(span)) + 1
    digits = {number: _digits(abs(span) / (number - 1)) for number in COUNTS}
    return min(digits, key=lambda number: (digits[number], COUNTS.index(number)))


def _digits(step: Decimal) -> int:
    """Decimal places, at most six."""
    return min(6, max(0, -int(step.normalize().as_tuple().exponent)))
