r"""The weights of a prompt, in the two notations that people know; one pass, linear in time.

=====================  ==========================================================
``(x)`` ``((x))``      ×1.1 for each pair (A1111)
``[x]``                ÷1.1 for each pair
``(x:1.3)`` ``(x)1.3`` ×1.3
``word+`` ``(x)++``    ×1.1 for each plus
``word--`` ``(x)--``   ×0.9 for each minus; ``—`` is two of them (:mod:`.signs`)
``\( \) \[ \] \+ \-``  the character itself, as is ``\\``; any other backslash is left out
``BREAK``              a new chunk of the text encoder begins (A1111)
=====================  ==========================================================

Nesting multiplies; an open bracket that is never closed reaches to the end; a closing one
that was never opened is text. ``C++``, ``:-(``, ``well-known``, ``(semi)-dry`` and ``1,000``
stay as they are. What is beyond 0 to 2 is brought to the nearest of them, and is in ``marks``.
Nothing raises: what is no weight is text (:mod:`.factors`, :mod:`.faces`).

Three things of A1111 act while a picture is drawn and have no equal here. They are read as text, and are in ``marks``:

========================= =======================================================
``a AND b``               ``a, b``; a weight (``a :1.2 AND b``) is left out
``[a:b:0.5]`` ``[b:0.5]`` ``b``, which is what stands there in the end; ``[a::0.5]`` is ``a``;
                          ``[a:b:40]`` is ``a`` in 30 steps, which never come to ``b`` (:mod:`.schedules`)
``[a|b]``                 ``a, b``
========================= =======================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from . import dividers, factors, schedules, signs
from .faces import find_faces
from .factors import WEIGHT_MAX

BREAKS_MAX = 16
"""Each one is another chunk that every step attends to; those behind are spaces."""
_PRODUCT_MAX = 1e6

Mark = Literal[
    "emphasis", "number", "signs", "dash", "BREAK", "AND", "schedule", "late", "unreached", "leaving", "alternation",
    "many_breaks", "clamped", "untaken", "odd",
]  # fmt: skip
"""What was recognised: ``(x)`` or ``[x]`` without a number; a weight in digits; ``++`` or ``--``; a long dash
behind a word, read as ``--``; and so on. ``late``: a schedule at a step, where nobody has said how many there are;
``unreached``: one to which the picture does not come; ``leaving``: one without words at its end.
``clamped``: a weight was beyond the bounds. ``untaken``, ``odd``: signs and numbers that look like weights and are
words."""

_TOKEN = re.compile(r"\\[\\()\[\]+\-]|[()\[\]]|[^\\()\[\]]+|\\")
_SEPARATORS = re.compile(r"([:|])")


class Fragment(NamedTuple):
    """A piece of the prompt and its weight, 0 to ``WEIGHT_MAX``; 1 is plain."""

    text: str
    weight: float


Chunk = tuple[Fragment, ...]
"""What lies between two ``BREAK``; never empty."""


class Weighed(NamedTuple):
    chunks: tuple[Chunk, ...]
    marks: tuple[Mark, ...]
    """Each once, in the order of their appearance."""


@dataclass(slots=True)
class _Piece:
    """``open``/``close``: a bracket that counts; ``text``: what is written, with its own factor; ``break``."""

    kind: str
    text: str = ""
    factor: float = 1.0
    separators: list[int] = field(default_factory=list)
    """Of an open ``[``: where ``:`` and ``|`` stand directly in it, as numbers of pieces."""
    place: int = 0
    """Of an open bracket: its own number."""
    resume: int = 0
    """Of an open ``[``: the piece with which it goes on, everything before being the past of a schedule."""


def weigh(prompt: str, breaks: int = BREAKS_MAX, steps: schedules.StepCount | None = None) -> Weighed:
    """The prompt's chunks of fragments, neighbours of equal weight joined; one empty fragment for an empty prompt.

    ``breaks``: how many ``BREAK`` count at most; ``steps``: the picture's, where they are known."""
    reader = _Reader(prompt, breaks, steps)
    chunks = _chunks(reader.pieces, reader.marks)
    return Weighed(tuple(chunks), tuple(reader.marks))


def _chunks(pieces: list[_Piece], marks: dict[Mark, None]) -> list[Chunk]:
    """Second pass: the factors of all open brackets, multiplied. ``marks`` gets ``clamped``."""
    chunks: list[list[tuple[list[str], float]]] = [[]]
    products = [1.0]
    number = 0
    while number < len(pieces):
        piece = pieces[number]
        number += 1
        if piece.kind == "open":
            products.append(min(products[-1] * piece.factor, _PRODUCT_MAX))
            number = max(number, piece.resume)
        elif piece.kind == "close":
            products.pop()
        elif piece.kind == "break":
            chunks.append([])
        elif piece.text:
            weight = round(products[-1] * piece.factor, 4)
            if weight > WEIGHT_MAX:
                weight = WEIGHT_MAX
                if not piece.text.isspace():
                    marks["clamped"] = None
            fragments = chunks[-1]
            if fragments and fragments[-1][1] == weight:
                fragments[-1][0].append(piece.text)
            else:
                fragments.append(([piece.text], weight))
    made = [tuple(Fragment("".join(texts), weight) for texts, weight in fragments) for fragments in chunks]
    said = [chunk for chunk in made if any(fragment.text.strip() for fragment in chunk)]
    return said or [next((chunk for chunk in made if chunk), (Fragment("", 1.0),))]


class _Reader:
    """First pass: brackets are matched, and each opening one learns its pair's factor."""

    def __init__(self, prompt: str, breaks: int, steps: schedules.StepCount | None) -> None:
        self.pieces: list[_Piece] = []
        self.marks: dict[Mark, None] = {}
        self._stack: list[_Piece] = []  # every open bracket, innermost last
        self._breaks = breaks
        self._steps = steps
        self._prompt = prompt
        self._faces = find_faces(prompt)
        position = 0
        while match := _TOKEN.match(prompt, position):
            position = self._token(match[0], match.end())
        if self._stack:
            self.marks["emphasis"] = None
        if signs.some_are_untaken(prompt):
            self.marks["untaken"] = None
        if factors.some_are_odd(prompt):
            self.marks["odd"] = None
        if "AND" in self.marks and self.pieces[-1].kind == "text":
            self.pieces[-1].text = dividers.without_weight(self.pieces[-1].text.rstrip())

    def _token(self, token: str, position: int) -> int:
        """``position``: behind it. Where the next one begins."""
        pieces, stack = self.pieces, self._stack
        if position - 1 in self._faces:
            pieces.append(_Piece("text", token))
        elif token == "(" or token == "[":
            opened = _Piece("open", token, 1.1 if token == "(" else 1 / 1.1, place=len(pieces))
            stack.append(opened)
            pieces.append(opened)
        elif token == ")" or token == "]":
            if not stack or stack[-1].text != ("(" if token == ")" else "["):
                pieces.append(_Piece("text", token))
            elif token == ")":
                return position + self._close_round(stack.pop(), position)
            else:
                self._close_square(stack.pop())
        elif token[0] == "\\":
            pieces.append(_Piece("text", token[1:]))
        else:
            self._text(token, position)
        return position

    # ------------------------------------------------------------ brackets

    def _close_round(self, opened: _Piece, position: int) -> int:
        """A pair is closed: find its factor. How many characters behind it belong to the mark."""
        last, factor = self.pieces[-1], 1.0
        inside = factors.inside(last.text, alone=self.pieces[-2] is opened) if last.kind == "text" else None
        if inside:
            last.text = last.text[: len(last.text) - inside.length]
        behind = factors.behind(self._prompt, position)
        for written in filter(None, (inside, behind)):
            factor *= max(0.0, written.factor)
            self.marks[written.mark] = None
            if written.factor < 0:
                self.marks["clamped"] = None
        if inside or behind:
            opened.factor = factor
        else:
            self.marks["emphasis"] = None
        self.pieces.append(_Piece("close"))
        return behind.length if behind else 0

    def _close_square(self, opened: _Piece) -> None:
        """``[x]`` is a weight, unless A1111 would read a schedule or an alternation in it."""
        pieces, separators = self.pieces, opened.separators
        bars = [number for number in separators if pieces[number].text == "|"]
        colons = [number for number in separators if pieces[number].text == ":"]
        if bars:
            for number in bars:
                pieces[number].text = ", "
            opened.factor = 1.0
            self.marks["alternation"] = None
        elif 1 <= len(colons) <= 2 and (schedule := self._schedule(opened, colons)) is not None:
            opened.factor = 1.0
            self.marks[schedule] = None
        else:
            self.marks["emphasis"] = None
        pieces.append(_Piece("close"))

    def _schedule(self, opened: _Piece, colons: list[int]) -> Mark | None:
        """``[from:to:when]``, ``[to:when]``: only ``to`` stays, or ``from`` where nothing follows it or not in time."""
        pieces, when = self.pieces, self.pieces[-1]
        if colons[-1] != len(pieces) - 2 or when.kind != "text" or not schedules.NUMBER.fullmatch(when.text):
            return None
        first, last = colons[0], colons[-1]
        before = pieces[first - 1]
        if len(colons) == 1 and (before is opened or (pieces[first - 2] is opened and before.text.strip().isdecimal())):
            return None  # ``[:3]``; ``[16:9]``, ``[12:30]``
        turn = schedules.turn(when.text, self._steps)
        if turn == "never":
            del pieces[first if len(colons) == 2 else opened.place + 1 :]
            return "unreached"
        when.text = pieces[first].text = pieces[last].text = ""
        between = pieces[first + 1 : min(last, first + 3)]
        if between and not (len(between) == 1 and between[0].text.isspace()):
            opened.resume = first
        elif len(colons) == 2 and turn == "start":
            del pieces[opened.place + 1 :]
        elif len(colons) == 2:
            return "leaving"
        return "late" if turn == "late" else "schedule"

    # ------------------------------------------------------------ words

    def _text(self, text: str, end: int) -> None:
        """Text without brackets, which ends at ``end`` of the prompt: split at ``BREAK`` and ``AND``."""
        start = 0
        least = 0 if self.pieces else len(text) - len(text.lstrip()) + 1
        most = len(text) if end < len(self._prompt) else len(text.rstrip()) - 1
        for match in dividers.WORD.finditer(text):
            mark = match[0]
            if mark == "AND" and (match.start() < least or match.end() > most or dividers.is_shouted(text, match)):
                continue
            before = text[start : match.start()].rstrip()
            if mark == "AND":
                self._split(dividers.without_weight(before.removesuffix(",")))
                self.pieces.append(_Piece("text", ", "))
                self.marks["AND"] = None
            elif self._breaks:
                self._breaks -= 1
                self._split(before)
                self.pieces.append(_Piece("break"))
                self.marks["BREAK"] = None
            else:
                self._split(f"{before} ")
                self.marks["many_breaks"] = None
            start = match.end()
            following = text[start : start + 64]
            start += len(following) - len(following.lstrip())
        self._split(text[start:])

    def _split(self, text: str) -> None:
        """Directly in ``[``, a colon and a bar may turn out to be more than text."""
        if not self._stack or self._stack[-1].text != "[":
            self._words(text)
            return
        for number, part in enumerate(_SEPARATORS.split(text)):
            if number % 2:
                self._stack[-1].separators.append(len(self.pieces))
                self.pieces.append(_Piece("text", part))
            elif part:
                self._words(part)

    def _words(self, text: str) -> None:
        """Text, split where ``word++`` or ``word--`` stands in it."""
        start = scanned = word_start = 0
        for match in signs.BEHIND_WORD.finditer(text):
            for found in signs.WORD_BREAK.finditer(text, scanned, match.start()):
                word_start = found.end()
            word = text[word_start : match.start()]
            scanned = match.end()
            if not signs.belongs_to(word, match[0]):
                continue
            if word_start > start:
                self.pieces.append(_Piece("text", text[start:word_start]))
            self.pieces.append(_Piece("text", word, signs.factor(match[0])))
            self.marks["dash" if signs.may_be_prose(match[0]) else "signs"] = None
            start = word_start = match.end()
        if start < len(text):
            self.pieces.append(_Piece("text", text[start:]))
