r"""A whole prompt: the weights of :mod:`.weights`, and compel's two ways to make one prompt of several.

=================================  ==============================================================
``("a", "b").and()``               each part is read by itself, then all stand one after another
``("a", "b").and(1, 0.5)``         the same, each part as strong as it says
``("a", "b").blend(0.7, 0.3)``     one prompt that lies between them; what counts is the ratio
``… .blend(1, 1, no_normalize)``   the weights as they are
=================================  ==============================================================

Parts stand in quotes, straight or curly, double or single; a quote inside is written ``\"`` or ``\'``. Inside, weights
and ``BREAK`` act as ever. Such an expression is the whole prompt or it is text, and what is malformed is text. Nothing
raises, and all is linear in time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from . import foreign
from .factors import WEIGHT_MAX
from .schedules import StepCount
from .weights import BREAKS_MAX, Chunk, Fragment, Weighed, weigh

PARSER = "otterbot-7"
"""Goes into every record: another version may give other weights."""
PARTS_MAX = 8
"""Every part is encoded by itself."""

Kind = Literal["plain", "and", "blend"]

_OPEN = re.compile(r"\s*\(\s*")
_PART = re.compile(
    r"""(?:"(?P<a>(?:[^"\\]|\\.)*+)"|“(?P<b>(?:[^”\\]|\\.)*+)”|'(?P<c>(?:[^'\\]|\\.)*+)'|‘(?P<d>(?:[^’\\]|\\.)*+)’)\s*+""",
    re.DOTALL,
)
_ESCAPED_QUOTE = re.compile(r"""\\(["'])""")
_COMMA = re.compile(r",\s*")
_METHOD = re.compile(r"\)\s*\.(and|blend)\(([^()]{0,400})\)\s*")
_NUMBER = re.compile(r"[+-]?(?:\d{1,6}(?:\.\d{0,20})?|\.\d{1,20})", re.ASCII)
_LOOKS_LIKE = re.compile(r"""["”'’)]\s*\.\s?(?:and|blend)\s?\(""", re.IGNORECASE)
_SWAP = re.compile(r"""[\w"”'’)]\s*\.swap\(""")

_SAID: dict[str, str] = {
    "AND": "AND is not supported here and was read as a comma.",
    "schedule": "Schedules such as [from:to:0.5] are not supported here; the words that come last in them were drawn.",
    "late": "Schedules such as [from:to:40] are not supported here; the words that come last in them are drawn, or "
    "those before them where a picture has no more steps than that.",
    "unreached": "A schedule such as [from:to:40] was not reached, as there are no more steps than that; the words "
    "before it were drawn, those behind it left out.",
    "leaving": "Schedules such as [words::0.5] are not supported here; their words were drawn in all steps.",
    "alternation": "Alternation such as [a|b] is not supported here and was read as a list.",
    "many_breaks": f"Only the first {BREAKS_MAX} BREAKs divide the prompt; the others were left out.",
    "clamped": f"Weights go from 0 to {WEIGHT_MAX:g}; what was beyond was brought to the nearest of them.",
    "dash": "A long dash directly behind a word was read as --, less of that word; with a space before it, it is a "
    "dash.",
    "untaken": "Signs such as ++ or -- count directly behind a word or a ), where no letter or sign follows, a single "
    "- only behind a ); others here were read as words.",
    "odd": "A number such as (hat:1,3) or （hat:1.3） was read as words; a weight is written (hat:1.3).",
    "swap": ".swap() is not supported here and was read as words.",
    "malformed": "An .and() or .blend() was read as plain words: it takes the whole prompt, in the form "
    f'("one", "two").blend(0.7, 0.3), with at most {PARTS_MAX} parts and as many weights.',
    **foreign.SAID,
}
_OF_WEIGHTS = {"many_breaks", "clamped", "dash", "untaken", "odd"}
"""What makes no difference where only the words are read."""


class Part(NamedTuple):
    """What is encoded by itself; ``weight`` is its strength in the whole."""

    chunks: tuple[Chunk, ...]
    weight: float

    @property
    def clean(self) -> str:
        return " ".join("".join(fragment.text for fragment in chunk) for chunk in self.chunks)


@dataclass(frozen=True, kw_only=True)
class Parsed:
    kind: Kind
    parts: tuple[Part, ...]
    """One, of weight 1, in a plain prompt; never empty. Weights are 0 to ``WEIGHT_MAX``; those of a blend add up to 1,
    unless the prompt says otherwise."""
    marks: tuple[str, ...] = ()
    """What was recognised: those of :data:`.weights.Mark`, ``and``, ``blend``, ``swap``, ``malformed``, and those of
    :mod:`.foreign`."""

    def said(self, *, weights_act: bool = True) -> tuple[str, ...]:
        """What was not done as written, as sentences that hold nothing of the prompt."""
        skipped = set() if weights_act else _OF_WEIGHTS
        return tuple(sentence for mark, sentence in _SAID.items() if mark in self.marks and mark not in skipped)

    @property
    def notes(self) -> tuple[str, ...]:
        return self.said()

    @property
    def clean(self) -> str:
        """The words without any marks."""
        return ", ".join(part.clean for part in self.parts)

    @property
    def fragments(self) -> list[Fragment]:
        """All of it in one list, without the parts' own weights."""
        return [fragment for part in self.parts for chunk in part.chunks for fragment in chunk]

    @property
    def weighted(self) -> bool:
        """Whether some words are to count more or less than others. A blend alone does not say that: it mixes."""
        weights = [fragment.weight for fragment in self.fragments if fragment.text.strip()]
        weights += [part.weight for part in self.parts if self.kind == "and"]
        return any(weight != 1.0 for weight in weights)

    @property
    def divided(self) -> bool:
        """Whether a ``BREAK`` stands between words."""
        return any(len(part.chunks) > 1 for part in self.parts)


def read(prompt: str, steps: StepCount | None = None) -> Parsed:
    """``steps``: of the picture, by which schedules go; ``None``: nobody knows them yet."""
    compound = _compound(prompt)
    kind, texts, weights, clamped = compound if compound is not None else ("plain", [prompt], [1.0], False)
    weighed: list[Weighed] = []
    breaks = BREAKS_MAX
    for text in texts:
        weighed.append(weigh(text, breaks, steps))
        breaks -= len(weighed[-1].chunks) - 1
    marks = dict.fromkeys(str(mark) for one in weighed for mark in one.marks)
    if clamped:
        marks["clamped"] = None
    if kind != "plain":
        marks[kind] = None
    elif _LOOKS_LIKE.search(prompt):
        marks["malformed"] = None
    if _SWAP.search(prompt):
        marks["swap"] = None
    marks |= dict.fromkeys(foreign.marks(prompt))
    parts = tuple(Part(one.chunks, weight) for one, weight in zip(weighed, weights, strict=True))
    return Parsed(kind=kind, parts=parts, marks=tuple(marks))


def parse(prompt: str, steps: StepCount | None = None) -> list[Fragment]:
    """The prompt's fragments in one list; ``[("", 1.0)]`` for an empty one."""
    return read(prompt, steps).fragments


def clean_text(prompt: str) -> str:
    """The prompt without any marks, as the pooled embedding of SDXL wants it."""
    return read(prompt).clean


def _compound(prompt: str) -> tuple[Kind, list[str], list[float], bool] | None:
    """Kind, parts, weights, and whether one of those was clamped; ``None``: it is no such expression."""
    opened = _OPEN.match(prompt)
    if opened is None:
        return None
    texts: list[str] = []
    position = opened.end()
    while len(texts) < PARTS_MAX and (found := _PART.match(prompt, position)) is not None:
        inside = next(text for text in found.groups() if text is not None)
        texts.append(_ESCAPED_QUOTE.sub(r"\1", inside))
        position = found.end()
        comma = _COMMA.match(prompt, position)
        if comma is None:
            break
        position = comma.end()
    method = _METHOD.fullmatch(prompt, position)
    if not texts or method is None:
        return None
    kind: Kind = "and" if method[1] == "and" else "blend"
    arguments = [argument.strip() for argument in method[2].split(",")] if method[2].strip() else []
    as_they_are = kind == "blend" and arguments[-1:] == ["no_normalize"]
    if as_they_are:
        arguments.pop()
    if (arguments and len(arguments) != len(texts)) or not all(_NUMBER.fullmatch(word) for word in arguments):
        return None
    said = [float(word) for word in arguments] or [1.0] * len(texts)
    weights = [max(0.0, weight) for weight in said]
    if kind == "blend" and not as_they_are:
        total = sum(weights)
        if total <= 0:
            return None
        return kind, texts, [round(weight / total, 6) for weight in weights], weights != said
    weights = [min(weight, WEIGHT_MAX) for weight in weights]
    return kind, texts, weights, weights != said
