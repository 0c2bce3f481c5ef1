"""One style, and how its name is compared and written."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from ..schemas.requests import MAX_PROMPT, MAX_STYLE_NAME

ABOUT_MAX = 100
NONE = "none"
"""What is typed for no style at all: the name of none."""
_APART = re.compile(r"[\s,，、،;|`\"'“”‘’«»]+")


@dataclass(frozen=True, kw_only=True)
class Style:
    name: str
    """As it is typed: without spaces, commas and quotes."""
    prompt: str = ""
    negative_prompt: str = ""
    about: str = ""
    """One line for people."""
    group: str = ""
    """In the catalogue what it belongs to, else the name of its file."""
    source: Literal["file", "catalogue"] = "catalogue"
    aspect: str | None = None
    """The shape of a picture for which nobody says one."""


def fold(name: str) -> str:
    """A key that is equal for all spellings of a name: capitals, spaces, hyphens and dots do not matter."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(c for c in plain if c.isalnum()) or "".join(plain.split())


def typed_name(name: str) -> str:
    """A name as it can be typed behind a flag: ``SAI Anime`` is ``SAI-Anime``. ``""``: nothing of it can be."""
    shown = "".join(c if c.isprintable() else " " for c in name)
    return re.sub(r"-{2,}", "-", _APART.sub("-", shown)).strip("-—–")


def problem_of(name: str, prompt: str, negative_prompt: str) -> str | None:
    """Why there can be no such style, in words that follow "that"; ``None``: there can be. ``name``: as `typed_name`
    gives it."""
    if not name or fold(name) == NONE:
        return "have a name that cannot be typed"
    if len(name) > MAX_STYLE_NAME:
        return f"have a name of more than {MAX_STYLE_NAME} characters"
    if max(len(prompt), len(negative_prompt)) > MAX_PROMPT:
        return f"are longer than {MAX_PROMPT:,} characters"
    return None


def line_about(words: str) -> str:
    """The beginning of a style's words, for people who see no other line about it."""
    line = " ".join("".join(c if c.isprintable() else " " for c in words[: ABOUT_MAX * 4]).split())
    return line if len(line) <= ABOUT_MAX else line[: ABOUT_MAX - 2].rstrip(" ,") + " …"
