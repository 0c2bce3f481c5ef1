"""Kinds of values that options have. Each kind reads a value from what was typed and from a picture's record, with the
same bounds, and writes it as it would be typed.

A record comes out of a room: it is input, never truth.
"""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from .. import numeric
from . import dashes
from .option_values import MAX_NAME, MAX_PROMPT, MAX_SEED, RANDOM, SAME

INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)")
_LONGEST = 20
"""Characters of a number. Longer ones exceed all bounds, and ``int()`` refuses thousands of digits."""
_MORE_SAMPLER = re.compile(r"\s+(?:\+\+|2m|2s|3m|sde|karras|ancestral|sgm|uniform)(?!\S)", re.IGNORECASE)
_SAMPLER_A = re.compile(rf"\s+a(?=[.,;!?]*(?:\s*$|\s+{dashes.RUN}\S))", re.IGNORECASE)
_WORD = re.compile(r"\S+")
_TRAILING = ",;.!?，；、。．！？،؛"
_DECIMAL = re.compile(r"[0-9]{1,3}\.[0-9]{1,40}|[0-9](?:\.[0-9]{1,20})?e-[0-9]{1,2}", re.ASCII)
"""Numbers as they can be typed, and with exponents as in older records (``5e-05``)."""


class BadValue(Exception):
    """A typed value that cannot be used."""

    def __init__(self, code: Literal["no_value", "bad_value", "too_large"] = "bad_value") -> None:
        super().__init__(code)
        self.code = code


class NeverTyped(Exception):
    """A recorded value that nobody could have typed."""


class Kind(ABC):
    """A kind of value. A value is never ``None``, which is "not typed"."""

    numeric = False
    """Its values can be recognised, as numbers can."""
    bare = False
    """The flag takes no value."""
    phrase = False
    """It takes every word up to the next flag; said twice, both count."""
    spaced: re.Pattern[str] | None = None
    """A value that may hold spaces without quotes."""

    @abstractmethod
    def typed(self, text: str) -> Any:
        """The value in ``text``. Raises :class:`BadValue`."""

    @abstractmethod
    def recorded(self, value: Any) -> Any:
        """The value in a record. Raises :class:`NeverTyped`."""

    def sent(self, value: Any) -> Any:
        """The value in a request to the worker; ``None`` if it is not sent."""
        return value

    def written(self, value: Any) -> str:
        """The value as it is typed, without quotes."""
        return str(value)

    def said(self, value: Any) -> str:
        """The value in words."""
        return self.written(value)

    def unquoted(self, word: str) -> str:
        """An unquoted value without the punctuation that follows it; numbers in ASCII."""
        value = word.rstrip(_TRAILING) or word
        if not self.numeric:
            return value
        value = unicodedata.normalize("NFKC", value)
        return "-" + value[1:] if value[:1] and re.match(f"[{dashes.ANY}]", value) else value

    def end(self, text: str, begin: int, end: int) -> int:
        """The end of a value that begins at ``begin`` and whose first word ends at ``end``."""
        found = None if self.spaced is None else self.spaced.match(text, begin)
        return end if found is None else found.end()


class Several(Kind):
    """It may be said several times, and all of them count."""

    @abstractmethod
    def together(self, before: Any, value: Any) -> Any:
        """One value of two. Raises :class:`BadValue`."""


class Apart(Kind):
    """No flag has it: it is read together with the words, and never out of records."""

    def typed(self, text: str) -> Any:
        raise BadValue

    def recorded(self, value: Any) -> Any:
        raise NeverTyped


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number."""

    least: int
    most: int
    numeric = True

    def typed(self, text: str) -> int:
        if not INTEGER.fullmatch(text):
            raise BadValue
        number = int(text) if len(text) <= _LONGEST else (-1 if text.startswith("-") else self.most + 1)
        if not self.least <= number <= self.most:
            raise BadValue("too_large" if number > self.most else "bad_value")
        return number

    def recorded(self, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not self.least <= value <= self.most:
            raise NeverTyped
        return value


@dataclass(frozen=True)
class Number(Kind):
    """A number with a fraction; ``above``: more than ``least``."""

    least: float
    most: float
    above: bool = False
    numeric = True

    def typed(self, text: str) -> float:
        if not _NUMBER.fullmatch(text):
            raise BadValue
        number = float(text.replace(",", ".")) if len(text) <= _LONGEST else self.most + 1
        if not self._holds(number):
            raise BadValue("too_large" if number > self.most else "bad_value")
        return number + 0.0  # no "-0.0"

    def recorded(self, value: Any) -> float:
        """Events hold fractions as text (see ``event_content.canonical``)."""
        text = isinstance(value, str) and _DECIMAL.fullmatch(value)
        number = numeric.number(float(value) if text else value)
        if number is None or not self._holds(number):
            raise NeverTyped
        return number

    def _holds(self, number: float) -> bool:
        return (self.least < number if self.above else self.least <= number) and number <= self.most

    def written(self, value: float) -> str:
        """Without exponent, and short enough to be read again."""
        return f"{Decimal(repr(value)):f}"[:_LONGEST].removesuffix(".0")


class Words(Kind):
    """Any words."""

    phrase = True

    def typed(self, text: str) -> str:
        return text

    def recorded(self, value: Any) -> str:
        if not isinstance(value, str) or len(value) > MAX_PROMPT:
            raise NeverTyped
        try:
            value.encode()  # half surrogates cannot be encoded on the way to the worker
        except UnicodeEncodeError:
            raise NeverTyped from None
        return value


class Name(Kind):
    """The name of something."""

    def typed(self, text: str) -> str:
        if not text:
            raise BadValue("no_value")
        if len(text) > MAX_NAME or not text.isprintable():
            raise BadValue
        return text

    def recorded(self, value: Any) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or not value.isprintable():
            raise NeverTyped
        return value


class Sampler(Name):
    """The name of a sampler, which may have several words: ``dpm++ 2m karras``, ``euler a``."""

    def end(self, text: str, begin: int, end: int) -> int:
        while (more := _MORE_SAMPLER.match(text, end)) is not None:
            end = more.end()
        if (letter := _SAMPLER_A.match(text, end)) is not None:
            end = _WORD.match(text, letter.end() - 1).end()  # type: ignore[union-attr]
        return end


class Bare(Kind):
    """True where the flag stands; said twice, it is said once."""

    bare = True

    def typed(self, text: str) -> bool:
        return True

    def recorded(self, value: Any) -> bool:
        raise NeverTyped

    def written(self, value: bool) -> str:
        return ""


@dataclass(frozen=True)
class Constant(Kind):
    """One value, where the flag stands."""

    value: str | bool
    bare = True

    def typed(self, text: str) -> str | bool:
        return self.value

    def recorded(self, value: Any) -> str | bool:
        raise NeverTyped


@dataclass(frozen=True)
class Factor(Kind):
    """One of some whole numbers."""

    values: tuple[int, ...]

    def typed(self, text: str) -> int:
        """A bare ``4``; other forms are read with the command (:mod:`.arguments`)."""
        if int(text) not in self.values:
            raise BadValue
        return int(text)

    def recorded(self, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value not in self.values:
            raise NeverTyped
        return value


class Seed(Whole):
    """A seed, or a word for one. Records hold numbers only."""

    def __init__(self) -> None:
        super().__init__(0, MAX_SEED)

    def typed(self, text: str) -> Any:
        word = text.lower()
        if word in (SAME, RANDOM):
            return word
        if word == "-1":  # other programs' word for a random seed
            return RANDOM
        return super().typed(text)

    def sent(self, value: Any) -> int | None:
        return value if isinstance(value, int) else None
