"""Thoughts that no mark begins: Granite 3 says so in words, and Harmony's marks may have been dropped. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LOST_MARKS = re.compile(r"\Aanalysis(?=[A-Z\"'*(])")
"""Harmony's header where the marks themselves were dropped: ``analysisWe need …assistantfinalHello``."""
_LOST_FINAL = re.compile(r"assistant\s*final(?=\S)")
_IN_WORDS = re.compile(r"\s*here(?: is|['’]s) my thought process:", re.IGNORECASE)
_WORDS_END = re.compile(r"^[ \t]*here(?: is|['’]s) my response:", re.IGNORECASE | re.MULTILINE)
"""Granite 3 says so in words. Both sentences have to stand there, each where it belongs, or they are the answer's."""
_WORDS_BEGIN = ("here is my thought process:", "here's my thought process:", "here’s my thought process:")


@dataclass(frozen=True, kw_only=True)
class Unmarked:
    """How a text begins, other than with an answer."""

    answer: int
    """Where the answer begins; the end of the text while nobody knows."""
    thought: str | None = None
    ended: bool = False
    """It has said itself that the thought is over."""


def at_the_beginning(text: str, *, done: bool) -> Unmarked | None:
    """``None``: the text begins as any other. ``done``: no more of it comes."""
    return _lost_marks(text, done=done) or _in_words(text, done=done)


def _lost_marks(text: str, *, done: bool) -> Unmarked | None:
    if _LOST_MARKS.match(text) is not None:
        final = _LOST_FINAL.search(text)
        if final is None:
            return Unmarked(answer=len(text), thought=text)
        return Unmarked(answer=final.end(), thought=text[: final.start()])
    return Unmarked(answer=len(text)) if not done and text and "analysis".startswith(text) else None


def _in_words(text: str, *, done: bool) -> Unmarked | None:
    begins = _IN_WORDS.match(text)
    if begins is not None:
        ends = _WORDS_END.search(text, begins.end())
        if ends is not None:
            return Unmarked(answer=ends.end(), thought=text[begins.end() : ends.start()], ended=True)
        return None if done else Unmarked(answer=len(text))
    may_become = any(words.startswith(text.lstrip().lower()) for words in _WORDS_BEGIN)
    return Unmarked(answer=len(text)) if not done and may_become else None
