"""Chance in a prompt: which words, a picture's seed decides. Pure, and free of torch.

It is read (`grammar`), and drawn for one seed (`drawing`) from what is written and from files that somebody else reads
(`drawing.Files`; `models.wildcards`). What comes out are words, which all that reads prompts reads as ever.
"""

from .drawing import Drawn, Files, Lines, May, Of, Undrawable, draw, may_come, parsed, reach
from .grammar import Broken, Choice, Option, Wildcard, literal, may_be_words, may_have, option, wildcards

__all__ = [
    "Broken", "Choice", "Drawn", "Files", "Lines", "May", "Of", "Option", "Undrawable", "Wildcard", "draw", "literal",
    "may_be_words", "may_come", "may_have", "option", "parsed", "reach", "wildcards",
]  # fmt: skip
