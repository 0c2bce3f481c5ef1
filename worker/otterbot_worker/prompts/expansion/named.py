"""What a person named: the pieces of a prompt between its commas, as they were written.

A piece with marks in it (weights, brackets, ``BREAK``, embeddings) is never taken apart: wherever it goes, it goes as
it was written. LoRAs act on the whole picture, so their tags stand behind everything.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from ..dialects import Kind, read
from ..lora_tags import TAG, embedding_words

WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s!-/:-@\[-`{-~’‘“”„«»…，、。；：！？（）·–—-]")
"""A word, or a sign that says something by itself, as an emoji."""
_CUT = re.compile(r"[,，、\n]")
_OPEN, _CLOSE = "([{", ")]}"


@dataclass(frozen=True, kw_only=True)
class Piece:
    text: str
    """As it was written."""
    words: tuple[str, ...]
    """Without marks, in small letters."""
    marked: bool
    """What it means is more than its words."""


@dataclass(frozen=True, kw_only=True)
class Named:
    prompt: str
    kind: Kind
    pieces: tuple[Piece, ...]
    tags: str
    """Those of LoRAs, as they were written."""
    words: str
    """What it says without any marks: so much a language model is told."""

    @property
    def possible(self) -> bool:
        """Whether anything can be added: ``.and()`` and ``.blend()`` take the whole prompt."""
        return self.kind == "plain" and bool(self.words)


def take_apart(prompt: str, embeddings: Collection[str] = ()) -> Named:
    """``embeddings``: words that call one, in small letters. Never raises."""
    tags = " ".join(match[0] for match in TAG.finditer(prompt))
    rest = TAG.sub("", prompt)
    pieces = tuple(_piece(text, embeddings) for part in _parts(rest) if (text := part.strip()))
    told = (" ".join(read(piece.text).clean.split()) for piece in pieces if not _only_calls(piece, embeddings))
    words = ", ".join(text for text in told if WORD.search(text))
    return Named(prompt=prompt, kind=read(rest).kind, pieces=pieces, tags=tags, words=words)


def _parts(text: str) -> list[str]:
    """Cut at the commas that stand in no brackets. Where one is never closed, it holds the rest."""
    found, start, depth = [], 0, 0
    for place, sign in enumerate(text):
        if text[place - 1 : place] == "\\":
            continue
        if sign in _OPEN:
            depth += 1
        elif sign in _CLOSE:
            depth = max(0, depth - 1)
        elif not depth and _CUT.match(sign):
            found.append(text[start:place])
            start = place + 1
    return [*found, text[start:]]


def _piece(text: str, embeddings: Collection[str]) -> Piece:
    parsed = read(text)
    marked = bool(parsed.marks) or parsed.clean != text or bool(embedding_words(text, embeddings))
    return Piece(text=text, words=words_of(parsed.clean), marked=marked)


def _only_calls(piece: Piece, embeddings: Collection[str]) -> bool:
    """Whether it is the name of an embedding and nothing else: such names say nothing to a language model."""
    called = embedding_words(piece.text, embeddings)
    return bool(called) and not set(piece.words) - {word for name in called for word in words_of(name)}


def words_of(text: str) -> tuple[str, ...]:
    return tuple(found[0].casefold().replace("’", "'") for found in WORD.finditer(text))
