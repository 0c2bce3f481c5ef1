"""Dashes: what keyboards of phones, word processors and other scripts put where somebody typed ``--``."""

from __future__ import annotations

import re

LONG = "‒–—―⸺⸻﹘︱︲─━"
"""One of them stands for two hyphens."""
SHORT = "-‐‑−－﹣⁃˗⁻₋־᠆⸗⸚ーｰ"
"""Hyphens and minus signs of any script, and what the hyphen's key of a Japanese keyboard types."""
ANY = SHORT[1:] + LONG + r"\-"
"""All of them, for the inside of a character class."""

RUN = rf"(?:\\*+[{ANY}])++"
"""A run of any dashes; a backslash before one, with which editors escape it, belongs to it."""
DOUBLE = rf"(?:(?:\\*+[{ANY}]){{2}}|\\*+[{LONG}])"
"""How a run begins that says ``--``."""

_BACKSLASHES = str.maketrans("", "", "\\")
_HELP = re.compile(rf"{RUN}\s*(?:help|usage|h|\?)[.!?]*", re.IGNORECASE)


def bare(run: str) -> str:
    """The dashes of a run."""
    return run.translate(_BACKSLASHES)


def is_double(run: str) -> bool:
    """Does the run say ``--``: two or more dashes, or a long one?"""
    dashes = bare(run)
    return len(dashes) > 1 or dashes in LONG


def is_no_prose(run: str) -> bool:
    """Several dashes with a hyphen among them: nobody begins a word of prose so. ``——`` some do."""
    dashes = bare(run)
    return len(dashes) > 1 and any(one in SHORT for one in dashes)


def asks_for_help(text: str) -> bool:
    """``--help`` and its relatives: the only word, so that a prompt may mention it."""
    return _HELP.fullmatch(text.strip()) is not None
