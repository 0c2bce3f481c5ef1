"""How the words of styles are put around a picture's own. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

PLACE = "{prompt}"
"""Where the words go in a style's; without it they stand before the style's."""
STYLED_MAX = 8_000
"""Characters of a prompt with the words of its styles."""


class Words(NamedTuple):
    prompt: str
    negative_prompt: str


class Wording(Protocol):
    """The words of a style."""

    @property
    def prompt(self) -> str: ...
    @property
    def negative_prompt(self) -> str: ...


def styled(words: Words, styles: Iterable[Wording]) -> Words:
    """The words with those of each style around them, in order, as A1111 does it: the second style has what the first
    one made for its words. What is longer than `STYLED_MAX` is cut off a character behind it: a few styles that repeat
    their place for the words would fill the memory else."""
    for style in styles:
        words = Words(_around(words.prompt, style.prompt), _around(words.negative_prompt, style.negative_prompt))
    return words


def _around(words: str, style: str) -> str:
    if PLACE in style:
        whole = style.replace(PLACE, words, STYLED_MAX // max(1, len(words)) + 1)
    else:
        whole = ", ".join(part for part in (words.strip(), style.strip()) if part)
    return whole[: STYLED_MAX + 1]
