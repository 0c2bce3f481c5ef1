"""Where code is in a text of Markdown: nothing in it is a mark of a template."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

_FENCE = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d{1,3}[.)])[ \t]+)?(?P<run>`{3,}|~{3,})(?P<info>[^`\n]*)$", re.MULTILINE)
_RUN = re.compile(r"`+")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")


def begins_line(text: str, at: int) -> bool:
    """Whether only white space stands before ``at`` in its line."""
    before = text[max(0, text.rfind("\n", 0, at) + 1) : at]
    return not before.strip(" \t")


@dataclass(frozen=True)
class _Fence:
    start: int
    end: int
    run: str
    bare: bool
    """Whether nothing follows in its line: only then it can end a block."""


class Code:
    """Of one text, which is looked through once."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _fences(self) -> list[_Fence]:
        found = _FENCE.finditer(self._text)
        return [_Fence(line.start("run"), line.end("run"), line["run"], not line["info"].strip()) for line in found]

    @cached_property
    def _starts(self) -> list[int]:
        return [fence.start for fence in self._fences]

    @cached_property
    def _bare(self) -> list[_Fence]:
        return [fence for fence in self._fences if fence.bare]

    @cached_property
    def _runs(self) -> dict[str, list[int]]:
        runs = defaultdict(list)
        for found in _RUN.finditer(self._text):
            runs[found[0]].append(found.start())
        return runs

    def opens_block(self, at: int) -> bool:
        """Whether the run of backticks or tildes at ``at`` can open a block."""
        place = bisect_left(self._starts, at)
        return place < len(self._starts) and self._starts[place] == at

    def block_end(self, run: str, at: int) -> int | None:
        """Where the block ends that ``run`` opened before ``at``: behind a line with as many of the same, at least."""
        for place in range(bisect_left(self._bare, at, key=lambda fence: fence.start), len(self._bare)):
            if self._bare[place].run.startswith(run):
                return self._bare[place].end
        return None

    def span_end(self, run: str, at: int) -> int | None:
        """Where the code in a paragraph ends that ``run`` began before ``at``: behind as many backticks."""
        starts = self._runs[run]
        place = bisect_left(starts, at)
        if place == len(starts) or _BLANK_LINE.search(self._text, at, starts[place]) is not None:
            return None
        return starts[place] + len(run)

    def blocks_after(self, at: int) -> int:
        """How many lines from ``at`` on open or close a block."""
        return len(self._starts) - bisect_left(self._starts, at)

    def runs_after(self, run: str, at: int) -> int:
        """How many runs just like ``run`` stand from ``at`` on."""
        return len(self._runs[run]) - bisect_left(self._runs[run], at)
