r"""The weights of a prompt, in the two notations that people know; one pass, linear in time.

=====================  ==========================================================
``(x)`` ``((x))``      ×1.1 for each pair (A1111)
``[x]``                ÷1.1 for each pair
``(x:1.3)`` ``(x)1.3`` ×1.3
``word++`` ``(x)++``   ×1.1 for each plus
``word--`` ``(x)--``   ×0.9 for each minus
``\( \) \[ \] \+ \-``  the character itself, as is ``\\``
=====================  ==========================================================

Nesting multiplies; an open bracket that is never closed reaches to the end; a closing one
that was never opened is text. ``C++``, ``:-(``, ``well-known``, ``(semi)-dry`` and ``1,000``
stay as they are. Nothing raises: what is no weight is text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

PARSER = "otterbot-2"
"""Goes into every record: another version may give other weights."""
WEIGHT_MAX = 2.0
"""Beyond it pictures fall apart; compel itself clamps nothing."""
_PRODUCT_MAX = 1e6

_TOKEN = re.compile(r"\\[\\()\[\]+\-]|[()\[\]]|[^\\()\[\]]+|\\")
_EMOTICON = re.compile(r"(?:^|(?<=\s))[:;=]-?$")
_EXPLICIT = re.compile(r":\s{0,4}(\d{1,4}(?:\.\d{0,6})?|\.\d{1,6})\s{0,4}$")
_AFTER = re.compile(r"(?:(\d{1,3}(?:\.\d{1,6})?|\.\d{1,6})(?![\w,.%:]\w|\w)|(\++|-+)(?=[\s,.;:!?)\]]|$))")
_SIGNS = re.compile(r"(?<![+\-])(?:\+{2,}|-{2,})(?=[\s,.;:!?]|$)")
_WORD_BREAK = re.compile(r"[\s,;\"]")


class Fragment(NamedTuple):
    """A piece of the prompt and its weight, 0 to ``WEIGHT_MAX``; 1 is plain."""

    text: str
    weight: float


@dataclass(slots=True)
class _Piece:
    """``open``/``close``: a bracket that counts; ``text``: what is written, with its own factor."""

    kind: str
    text: str = ""
    factor: float = 1.0


def parse(prompt: str) -> list[Fragment]:
    """The prompt's fragments, neighbours of equal weight joined; ``[("", 1.0)]`` for an empty one."""
    pieces = _pieces(prompt)
    fragments: list[tuple[list[str], float]] = []
    products = [1.0]
    for piece in pieces:
        if piece.kind == "open":
            products.append(min(products[-1] * piece.factor, _PRODUCT_MAX))
        elif piece.kind == "close":
            products.pop()
        elif piece.text:
            weight = round(min(products[-1] * piece.factor, WEIGHT_MAX), 4)
            if fragments and fragments[-1][1] == weight:
                fragments[-1][0].append(piece.text)
            else:
                fragments.append(([piece.text], weight))
    return [Fragment("".join(texts), weight) for texts, weight in fragments] or [Fragment("", 1.0)]


def clean_text(prompt: str) -> str:
    """The prompt without any marks of weight, as the pooled embedding of SDXL wants it."""
    return "".join(fragment.text for fragment in parse(prompt))


def _pieces(prompt: str) -> list[_Piece]:
    """First pass: brackets are matched, and each opening one learns its pair's factor."""
    pieces: list[_Piece] = []
    stack: list[_Piece] = []  # every open bracket, innermost last
    position = 0
    while match := _TOKEN.match(prompt, position):
        token, position = match[0], match.end()
        if token == "(" or token == "[":
            if _is_emoticon(pieces, prompt, position):
                pieces.append(_Piece("text", token))
                continue
            opened = _Piece("open", token, 1.1 if token == "(" else 1 / 1.1)
            stack.append(opened)
            pieces.append(opened)
        elif token == ")" or token == "]":
            wanted = "(" if token == ")" else "["
            if not stack or stack[-1].text != wanted:
                pieces.append(_Piece("text", token))
                continue
            position += _close(pieces, stack.pop(), prompt, position)
        elif len(token) == 2 and token[0] == "\\":
            pieces.append(_Piece("text", token[1]))
        else:
            _words(pieces, token)
    return pieces


def _is_emoticon(pieces: list[_Piece], prompt: str, position: int) -> bool:
    """``:(`` or ``;-[``, standing alone."""
    if position < len(prompt) and not prompt[position].isspace():
        return False
    return bool(pieces) and pieces[-1].kind == "text" and _EMOTICON.search(pieces[-1].text[-3:]) is not None


def _close(pieces: list[_Piece], opened: _Piece, prompt: str, position: int) -> int:
    """A pair is closed: find its factor. How many characters behind it belong to the mark."""
    taken = 0
    if opened.text == "(":
        factor = 1.0
        explicit = _EXPLICIT.search(pieces[-1].text[-16:]) if pieces[-1].kind == "text" else None
        if explicit:
            pieces[-1].text = pieces[-1].text[: len(pieces[-1].text) - len(explicit[0])]
            factor *= float(explicit[1])
        after = _AFTER.match(prompt, position)
        if after:
            taken = after.end() - position
            factor *= float(after[1]) if after[1] else _signs(after[2])
        opened.factor = factor if explicit or after else 1.1
    pieces.append(_Piece("close"))
    return taken


def _words(pieces: list[_Piece], text: str) -> None:
    """Text without brackets, split where ``word++`` or ``word--`` stands in it."""
    start = scanned = word_start = 0
    for match in _SIGNS.finditer(text):
        for found in _WORD_BREAK.finditer(text, scanned, match.start()):
            word_start = found.end()
        word = text[word_start : match.start()]
        scanned = match.end()
        if not word or (len(word) == 1 and word.isascii()):  # a dash; C++, g++
            continue
        pieces.append(_Piece("text", text[start:word_start]))
        pieces.append(_Piece("text", word, _signs(match[0])))
        start = word_start = match.end()
    pieces.append(_Piece("text", text[start:]))


def _signs(signs: str) -> float:
    count = min(len(signs), 16)
    return float((1.1 if signs[0] == "+" else 0.9) ** count)
