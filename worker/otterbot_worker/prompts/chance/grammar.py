r"""Chance in words, read: ``{red|green} hat``, ``{2$$a|b|c}``, ``__animal__``. One pass, linear in time.

=========================== ===========================================================================
``{red|green|blue}``        one of them; an alternative may be empty, and may hold more chance
``{3::red|green}``          red three times as often as green
``{2$$red|green|blue}``     two different ones, joined by ``, ``
``{1-2$$…}`` ``{-2$$…}``    one or two
``{2$$ and $$red|green}``   joined by `` and ``
``__animal__``              a line of ``animal.txt``; ``__animals/sea__`` of a file in a folder; ``__animals/*__`` of
                            all files in it, ``**`` of those in its folders, too
``\{`` ``\|`` ``\}`` ``\_`` the characters; they keep their backslash, which weights leave out (:mod:`..weights`)
=========================== ===========================================================================

Braces without a bar and without ``$$`` are words, as NovelAI's ``{hat}``. This is the language of Dynamic Prompts
without its variables, its parameters and its samplers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NamedTuple, TypeAlias

DEPTH_MAX = 20
"""Choices in choices."""
COUNT_MAX = 100
"""How many may be drawn at once."""
JOINER = ", "
WEIGHT_UNIT = 10_000
"""Weights are whole numbers of this part of 1, so that nothing hangs on how a machine rounds."""

Code = Literal["choice_unclosed", "choice_too_deep", "choice_range", "choice_weights"]
BROKEN: dict[Code, str] = {
    "choice_unclosed": r"a choice lacks its closing `}`; it is written `{red|green}`, and a brace alone `\{`",
    "choice_too_deep": f"choices stand in choices more than {DEPTH_MAX} deep",
    "choice_range": "the numbers before `$$` go from the smaller to the larger, and up to "
    f"{COUNT_MAX}, as in `{{1-2$$red|green|blue}}`",
    "choice_weights": "all weights of a choice are 0, so that nothing can be drawn",
}
"""Ends of sentences that hold nothing of the prompt."""


class Broken(Exception):
    """It is no chance that can be drawn, and no words either."""

    def __init__(self, code: Code) -> None:
        super().__init__(BROKEN[code])
        self.code = code


class Wildcard(NamedTuple):
    name: str
    typed: str
    """With its underscores."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    options: tuple[Option, ...]
    least: int = 1
    most: int | None = 1
    """``None``: as many as there are."""
    joiner: str = JOINER
    multiple: bool = False
    """It has a ``$$``: its alternatives are stripped of their spaces, and joined."""


Node: TypeAlias = "str | Wildcard | Choice"
"""A text, with its backslashes, or a decision."""


class Option(NamedTuple):
    weight: int
    nodes: tuple[Node, ...]
    text: str
    """As it was written, without its weight."""


_NAME = r"[\w/.\-*](?:[\w/.\-* ]{0,118}?[\w/.\-*])??"
_WILDCARD = rf"(?<![\w.])__(?!_)(?P<name>{_NAME})__(?![\w(])"
_TOKEN = re.compile(rf"\\.|(?P<sign>[{{}}|])|{_WILDCARD}|[^\\{{}}|_]+|.", re.DOTALL)
_DASH = "‐‑‒–—−-"
_RANGE = rf"(?:(?P<least>\d{{1,4}})\s*)?(?P<dash>[{_DASH}])(?:\s*(?P<most>\d{{1,4}}))?"
"""Spaces stand in one place only between two signs: thousands of them would be tried in all divisions else."""
_COUNT = re.compile(
    rf"\s*(?:{_RANGE}|(?P<exact>\d{{1,4}}))\s*\$\$"
    r"(?:(?P<joiner>[^$]{0,40})\$\$)?",
    re.ASCII,
)
_WEIGHT = re.compile(r"\s*(\d{1,4}(?:\.\d{1,4})?|\.\d{1,4})::", re.ASCII)
_PYTHON = frozenset({
    "init", "main", "name", "file", "doc", "all", "dict", "class", "call", "str", "repr", "new", "del", "len", "iter",
    "next", "enter", "exit", "future", "version", "slots",
})  # fmt: skip
"""Words with underscores around them that people write of programs."""


def may_have(text: str) -> bool:
    """Whether it is worth reading: without these there is no chance in it."""
    return "{" in text or "__" in text


def parse(text: str) -> tuple[Node, ...]:
    """The text in pieces; one or none where there is no chance in it. :raises Broken:"""
    return _Reader(text).nodes() if may_have(text) else ((text,) if text else ())


def option(text: str) -> Option:
    """A line of a file, which may begin with a weight. :raises Broken:"""
    return _option(list(parse(text)), text)


def decisions(nodes: tuple[Node, ...]) -> Iterator[Choice | Wildcard]:
    """Those that stand directly in it."""
    return (node for node in nodes if not isinstance(node, str))


def wildcards(nodes: tuple[Node, ...]) -> Iterator[Wildcard]:
    """All that stand in it, however deep."""
    for node in decisions(nodes):
        if isinstance(node, Wildcard):
            yield node
        else:
            for one in node.options:
                yield from wildcards(one.nodes)


def may_be_words(wildcard: Wildcard) -> bool:
    """Where there is no file for it: ``__init__``, and ``__bold words__``."""
    return wildcard.name in _PYTHON or " " in wildcard.name


def literal(text: str) -> str:
    r"""The same words with nothing in them that is drawn: ``\{red|green}``. Twice is once. Never raises."""
    if not may_have(text):
        return text
    try:
        if all(isinstance(node, str) for node in parse(text)):
            return text
    except Broken:
        pass
    return "".join(
        rf"\{found[0]}" if found["sign"] == "{" or found["name"] else found[0] for found in _TOKEN.finditer(text)
    )


@dataclass(slots=True)
class _Open:
    """A brace that is not closed yet."""

    start: int
    """Of its first alternative."""
    pieces: list[list[Node]] = field(default_factory=lambda: [[]])
    starts: list[int] = field(default_factory=list)
    """Of its alternatives."""
    depth: int = 0
    """Of the choices in it."""


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._whole: list[Node] = []
        self._open: list[_Open] = []

    def nodes(self) -> tuple[Node, ...]:
        for found in _TOKEN.finditer(self._text):
            if found["name"] is not None:
                self._here.append(Wildcard(found["name"], found[0]))
            elif found["sign"] is None or (found["sign"] != "{" and not self._open):
                _add(self._here, found[0])
            else:
                self._sign(found["sign"], found.end())
        while self._open:  # never closed
            last = self._open.pop()
            if len(last.pieces) > 1 or _counts(last.pieces[0]) is not None:
                raise Broken("choice_unclosed")
            self._words(last, closed=False)
        return tuple(self._whole)

    @property
    def _here(self) -> list[Node]:
        return self._open[-1].pieces[-1] if self._open else self._whole

    def _sign(self, sign: str, end: int) -> None:
        if sign == "{":
            self._open.append(_Open(end, starts=[end]))
        elif sign == "|":
            self._open[-1].pieces.append([])
            self._open[-1].starts.append(end)
        else:
            closed = self._open.pop()
            if len(closed.pieces) == 1 and _counts(closed.pieces[0]) is None:
                self._words(closed, closed=True)
                self._deepen(closed.depth)
            else:
                self._here.append(self._choice(closed, end))
                self._deepen(closed.depth + 1)

    def _deepen(self, depth: int) -> None:
        if depth > DEPTH_MAX:
            raise Broken("choice_too_deep")
        if self._open:
            self._open[-1].depth = max(self._open[-1].depth, depth)

    def _words(self, brace: _Open, *, closed: bool) -> None:
        _add(self._here, "{")
        for node in brace.pieces[0]:
            if isinstance(node, str):
                _add(self._here, node)
            else:
                self._here.append(node)
        if closed:
            _add(self._here, "}")

    def _choice(self, brace: _Open, end: int) -> Choice:
        ends = [*(start - 1 for start in brace.starts[1:]), end - 1]
        texts = [self._text[start:stop] for start, stop in zip(brace.starts, ends, strict=True)]
        counted = _counts(brace.pieces[0])
        if counted is not None:
            brace.pieces[0][0] = str(brace.pieces[0][0])[counted.end() :]
            texts[0] = texts[0][counted.end() :]
        options = tuple(_option(nodes, text) for nodes, text in zip(brace.pieces, texts, strict=True))
        if not any(one.weight for one in options):
            raise Broken("choice_weights")
        if counted is None:
            return Choice(options=options)
        least, most = _bounds(counted)
        joiner = JOINER if counted["joiner"] is None else counted["joiner"]
        return Choice(options=options, least=least, most=most, joiner=joiner, multiple=True)


def _add(nodes: list[Node], text: str) -> None:
    if nodes and isinstance(nodes[-1], str):
        nodes[-1] += text
    else:
        nodes.append(text)


def _counts(nodes: list[Node]) -> re.Match[str] | None:
    """How many, at the beginning of the first alternative."""
    found = _COUNT.match(nodes[0]) if nodes and isinstance(nodes[0], str) else None
    return None if found is None or (found["dash"] and not (found["least"] or found["most"])) else found


def _bounds(counted: re.Match[str]) -> tuple[int, int | None]:
    if counted["exact"] is not None:
        least = most = int(counted["exact"])
    else:
        least, most = int(counted["least"] or 1), int(counted["most"] or COUNT_MAX)
    if not least <= most <= COUNT_MAX:
        raise Broken("choice_range")
    return least, None if counted["dash"] and not counted["most"] else most


def _option(nodes: list[Node], text: str) -> Option:
    found = _WEIGHT.match(nodes[0]) if nodes and isinstance(nodes[0], str) else None
    weight, end = (WEIGHT_UNIT, 0) if found is None else (int(Decimal(found[1]) * WEIGHT_UNIT), found.end())
    if end:
        nodes = [str(nodes[0])[end:], *nodes[1:]]
    return Option(weight, tuple(node for node in nodes if node != ""), text[end:])
