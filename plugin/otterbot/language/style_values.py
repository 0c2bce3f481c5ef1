"""Styles as they are named and recorded: a name, or a name with the words that it stands for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .option_kinds import BadValue, NeverTyped, Several, Words

MAX_STYLES = 8
"""Of one picture."""
MAX_STYLE_NAME = 100
NONE = "none"
"""No style at all, whatever a room is used to: the name of none."""

PLACE = "{prompt}"
"""Where other words go in a style's."""

_COMMA = re.compile(r"[,，、،]")
_WORDS = Words()


@dataclass(frozen=True, kw_only=True)
class StyleChoice:
    """A style that a picture is to have, or has."""

    name: str
    prompt: str | None = None
    """Its words; ``None``: whatever goes by that name."""
    negative_prompt: str = ""

    def sent(self) -> str | dict[str, str]:
        """As the worker takes it."""
        return self.name if self.prompt is None else {**vars(self), "prompt": self.prompt}

    def named(self) -> StyleChoice:
        return StyleChoice(name=self.name)


Styles = tuple[StyleChoice, ...]


def fold(name: str) -> str:
    """A key that is equal for all spellings of a name: capitals, spaces, hyphens and dots do not matter."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(c for c in plain if c.isalnum()) or "".join(plain.split())


def is_style_name(name: str) -> bool:
    """Can a style be called so?"""
    usual = 0 < len(name) <= MAX_STYLE_NAME and name.isprintable() and not _COMMA.search(name)
    return usual and fold(name) not in ("", NONE)


class StylesOf(Several):
    """``watercolor``, ``watercolor,backlit``; ``none``, which is an empty tuple. Said twice, all count."""

    def typed(self, text: str) -> Styles:
        names = [name.strip() for name in _COMMA.split(text) if name.strip()]
        if not names:
            raise BadValue("no_value")
        if len(names) == 1 and fold(names[0]) == NONE:
            return ()
        if len(names) > MAX_STYLES or not all(map(is_style_name, names)):
            raise BadValue
        return tuple(StyleChoice(name=name) for name in names)

    def together(self, before: Styles, value: Styles) -> Styles:
        """Both, in order. "None" and a name cannot both be meant. Raises :class:`BadValue`."""
        if not before or not value or len(before) + len(value) > MAX_STYLES:
            raise BadValue
        return before + value

    def recorded(self, value: Any) -> Styles:
        if not isinstance(value, list | tuple) or len(value) > MAX_STYLES:
            raise NeverTyped
        return tuple(map(_recorded, value))

    def sent(self, value: Styles) -> list[str | dict[str, str]]:
        return [style.sent() for style in value]

    def written(self, value: Styles) -> str:
        return ",".join(style.name for style in value) or NONE

    def said(self, value: Styles) -> str:
        return ", ".join(style.name for style in value) or NONE


class StylesTogether(StylesOf):
    """``watercolor+backlit``: the styles of one picture, where commas are between those of several."""

    def typed(self, text: str) -> Styles:
        return super().typed(text.replace("+", ","))


def _recorded(one: Any) -> StyleChoice:
    name = one.get("name") if isinstance(one, Mapping) else one
    if not isinstance(name, str) or not 0 < len(name) <= MAX_STYLE_NAME or not name.isprintable():
        raise NeverTyped
    if not isinstance(one, Mapping):
        return StyleChoice(name=name)
    texts = (_WORDS.recorded(one.get(field, "")) for field in ("prompt", "negative_prompt"))
    return StyleChoice(name=name, **dict(zip(("prompt", "negative_prompt"), texts, strict=True)))


def style_names(sent: Any) -> list[str]:
    """The names in a request's styles; ``[]`` where it is none."""
    listed = sent if isinstance(sent, list) else []
    return [str(one.get("name", "")) if isinstance(one, Mapping) else str(one) for one in listed]


def styled(prompt: str, negative_prompt: str, styles: Iterable[StyleChoice]) -> tuple[str, str]:
    """The words with those of the styles around them, as the worker puts them."""
    for style in styles:
        prompt = _around(prompt, style.prompt or "")
        negative_prompt = _around(negative_prompt, style.negative_prompt)
    return prompt, negative_prompt


def _around(words: str, style: str) -> str:
    if PLACE in style:
        return style.replace(PLACE, words)
    return ", ".join(part for part in (words.strip(), style.strip()) if part)


def worded(styles: Iterable[StyleChoice], own: Mapping[str, StyleChoice]) -> Styles:
    """``styles`` with the words of a room's ``own`` ones (by their folded names), which the worker does not know."""
    return tuple(
        style if style.prompt is not None else _with_words(style, own.get(fold(style.name))) for style in styles
    )


def _with_words(style: StyleChoice, own: StyleChoice | None) -> StyleChoice:
    return style if own is None else own
