"""Chance in words, drawn: one outcome for one seed, the same on every machine and with every version of Python.

Each decision is drawn by the SHA-256 of the seed, of which words they are, and of its place in them. So what stands in
one place changes nothing in another one: words added to a prompt, or an alternative to a choice, leave the others as
they were. There is no state.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, NamedTuple, Protocol

from .grammar import JOINER, Broken, Choice, Node, Option, Wildcard, may_be_words, may_have, parse, wildcards

DRAWS_MAX = 2_000
"""Decisions in one prompt."""
OUTCOME_MAX = 4_000
"""Characters, as many as a prompt may have."""
FILES_MAX = 1_000
LINES_MAX = 100_000
"""Files, and lines in them, that one prompt may come to."""
CHAIN_MAX = 40
"""Files that lead one to another."""

TOO_LONG = f"What was drawn is longer than {OUTCOME_MAX:,} characters. Please let less be drawn."
TOO_WIDE = (
    f"A prompt comes to at most {FILES_MAX:,} files of wildcards with {LINES_MAX:,} lines, of which {CHAIN_MAX} may "
    "lead one to another. Please name fewer."
)
TOO_MANY = f"More than {DRAWS_MAX:,} things would be drawn for one prompt. Please let less be drawn."

Of = Literal["prompt", "negative_prompt"]
"""Which words: what stands in both is drawn for each."""


class Undrawable(Exception):
    """Chance that cannot be drawn; the message is a sentence for people, without their words."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Lines(NamedTuple):
    options: Sequence[Option]
    """Those of a file that can be drawn; never empty."""
    names: Mapping[str, tuple[int, Wildcard]]
    """The wildcards in them, each with the number of the first line that has it."""


class Files(Protocol):
    """Where wildcards come from."""

    def called(self, name: str) -> Sequence[str]:
        """The files that a wildcard of this name means, sorted, each as a name; several for one with ``*``."""

    def lines(self, file: str) -> Lines:
        """:raises Undrawable: it cannot be used :raises CannotLook:"""

    def unknown(self, wildcard: Wildcard) -> str:
        """What there is instead, as sentences."""


class Drawn(NamedTuple):
    text: str
    by_chance: bool
    """Something in it was drawn."""
    files: tuple[str, ...] = ()
    """Those that it may have come from."""


def draw(text: str, seed: int, of: Of, files: Files) -> Drawn:
    """One outcome. Nothing is looked at where there is no chance in it.

    :raises Undrawable: :raises CannotLook:
    """
    if not may_have(text):
        return Drawn(text, by_chance=False)
    nodes = parsed(text)
    if not any(_is_decision(node, files) for node in nodes):
        return Drawn(text, by_chance=False)
    reached = reach(nodes, files)
    return Drawn(_Drawing(seed, of, files).text(nodes), by_chance=True, files=reached)


def parsed(text: str) -> tuple[Node, ...]:
    """:raises Undrawable:"""
    try:
        return parse(text)
    except Broken as broken:
        said = str(broken)
        raise Undrawable(broken.code, f"{said[0].upper()}{said[1:]}.") from None


def reach(nodes: Sequence[Node], files: Files) -> tuple[str, ...]:
    """All files that may be drawn from, whatever the seed: so a prompt is refused with every seed or with none.

    :raises Undrawable: one is missing, cannot be used, or names itself :raises CannotLook:
    """
    done: dict[str, None] = {}
    count = 0

    def follow(wildcard: Wildcard, chain: tuple[str, ...], where: str) -> None:
        nonlocal count
        called = files.called(wildcard.name)
        if not called and not may_be_words(wildcard):
            raise Undrawable("unknown_wildcard", f"{where}{files.unknown(wildcard)}")
        for file in called:
            if file in chain:
                raise Undrawable("endless_wildcard", _endless((*chain[chain.index(file) :], file)))
            if file in done:
                continue
            read = files.lines(file)
            count += len(read.options)
            if len(done) + len(chain) >= FILES_MAX or len(chain) >= CHAIN_MAX or count > LINES_MAX:
                raise Undrawable("too_many_wildcards", TOO_WIDE)
            for number, inner in read.names.values():
                follow(inner, (*chain, file), f"A wildcard in line {number} of `{file}.txt`: ")
            done[file] = None

    named = list(wildcards(tuple(nodes)))
    for number, wildcard in enumerate(named, 1):
        follow(wildcard, (), f"Wildcard number {number}: " if len(named) > 1 else "")
    return tuple(done)


def _endless(chain: Sequence[str]) -> str:
    if len(chain) == 2:
        return f"`{chain[0]}.txt` names itself, so that it never ends. The operator can take that line out."
    others = ", which names ".join(f"`{file}.txt`" for file in chain[1:])
    return f"`{chain[0]}.txt` names {others}, so that it never ends. The operator can take one of those lines out."


def _is_decision(node: Node, files: Files) -> bool:
    if isinstance(node, Wildcard):
        return not may_be_words(node) or bool(files.called(node.name))
    return isinstance(node, Choice)


def _wildcard_of(node: Node, files: Files) -> Wildcard | None:
    """Whose lines are the alternatives: of the wildcard itself, and in ``{2$$__animal__}``, two different lines."""
    if isinstance(node, Choice):
        only = node.options[0].nodes
        node = only[0] if node.multiple and len(node.options) == 1 and len(only) == 1 else ""
    return node if isinstance(node, Wildcard) and _is_decision(node, files) else None


def _bounds(choice: Choice, there: int) -> tuple[int, int]:
    """How many are drawn of so many."""
    most = there if choice.most is None else min(choice.most, there)
    return min(choice.least, most), most


class _Pool:
    """Alternatives that may be drawn. A file may have thousands, and a prompt hundreds of draws of it, so they are not
    gone through for each."""

    def __init__(self, options: Iterable[Option]) -> None:
        self.options = [one for one in options if one.weight]
        self._weights = [one.weight for one in self.options]
        self._even = self._weights[0] if len(set(self._weights)) == 1 else 0
        """The weight that all of them have; 0: they differ."""
        self._ends: list[int] | None = None

    def copy(self) -> _Pool:
        other = copy(self)
        other.options, other._weights = self.options.copy(), self._weights.copy()
        return other

    @property
    def total(self) -> int:
        return self._even * len(self.options) if self._even else self._sums()[-1]

    def place(self, drawn: int) -> int:
        """Which one has this part of the total."""
        return drawn // self._even if self._even else bisect_right(self._sums(), drawn)

    def pop(self, place: int) -> Option:
        del self._weights[place]
        self._ends = None
        return self.options.pop(place)

    def _sums(self) -> list[int]:
        if self._ends is None:
            self._ends = list(accumulate(self._weights))
        return self._ends


class _Drawing:
    def __init__(self, seed: int, of: Of, files: Files) -> None:
        self._key = f"otterbot chance 1/{seed}/{of}"
        self._files = files
        self._lines: dict[str, _Pool] = {}
        """Of wildcards."""
        self._draws = 0

    def text(self, nodes: Sequence[Node], place: str = "") -> str:
        """``place``: of these pieces in the whole. Two spaces where something was drawn become one."""
        whole, number, beside = "", 0, False
        for node in nodes:
            drawn = isinstance(node, Choice) or (isinstance(node, Wildcard) and _is_decision(node, self._files))
            if drawn:
                number += 1
                piece = self._decided(node, f"{place}/{number}")
            else:
                piece = node.typed if isinstance(node, Wildcard) else str(node)
            if (drawn or beside) and (not whole or whole[-1].isspace()):
                piece = piece.lstrip(" ")
            beside = drawn
            whole += piece
            if len(whole) > OUTCOME_MAX:
                raise Undrawable("outcome_too_long", TOO_LONG)
        return whole

    def may(self, node: Node) -> May:
        options, wildcard = self._pool(node).options, _wildcard_of(node, self._files)
        least, most = _bounds(node, len(options)) if isinstance(node, Choice) else (1, 1)
        texts = tuple(one.text for one in options) if wildcard is None else ()
        joiner = node.joiner if isinstance(node, Choice) else JOINER
        return May(texts, len(options), None if wildcard is None else wildcard.name, least, most, joiner)

    def _decided(self, node: Node, place: str) -> str:
        pool = self._pool(node)
        if not isinstance(node, Choice) or not node.multiple:
            return self.text(pool.options[self._pick(pool, place)].nodes, place)
        least, most = _bounds(node, len(pool.options))
        count = least + self._number(f"{place}#", most - least + 1)
        left, texts = pool.copy(), []
        for number in range(1, count + 1):
            inner = f"{place}.{number}"
            texts.append(self.text(left.pop(self._pick(left, inner)).nodes, inner).strip())
        return node.joiner.join(text for text in texts if text)

    def _pool(self, node: Node) -> _Pool:
        wildcard = _wildcard_of(node, self._files)
        if wildcard is None:
            assert isinstance(node, Choice)
            return _Pool(node.options)
        if wildcard.name not in self._lines:
            files = self._files.called(wildcard.name)
            self._lines[wildcard.name] = _Pool(one for file in files for one in self._files.lines(file).options)
        return self._lines[wildcard.name]

    def _pick(self, pool: _Pool, place: str) -> int:
        return pool.place(self._number(place, pool.total))

    def _number(self, place: str, below: int) -> int:
        self._draws += 1
        if self._draws > DRAWS_MAX:
            raise Undrawable("too_many_draws", TOO_MANY)
        digest = hashlib.sha256(f"{self._key}{place}".encode()).digest()
        return int.from_bytes(digest[:16], "big") * below >> 128


@dataclass(frozen=True)
class May:
    """One decision, for people."""

    options: tuple[str, ...]
    """Alternatives as they are written; none of a wildcard."""
    there: int
    """How many alternatives, or lines."""
    wildcard: str | None
    least: int
    most: int
    joiner: str


def may_come(text: str, files: Files) -> list[May]:
    """What is drawn in a text directly. :raises Undrawable: :raises CannotLook:"""
    nodes = parsed(text)
    reach(nodes, files)
    drawing = _Drawing(0, "prompt", files)
    return [drawing.may(node) for node in nodes if isinstance(node, Choice) or _is_decision(node, files)]
