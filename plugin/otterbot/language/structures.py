"""A prompt by keys, as a value: what a person typed, and what a picture's record holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

WORDS = ("subject", "outfit", "environment", "emotions", "style")
"""Their words are drawn, in this order."""
KEYS = ("theme", *WORDS, "negative")
MAX_THEME = 64
MAX_ITEMS = 32
"""In one list."""

Value = str | tuple[str, ...]

_LOOSE = " \t\r\n,;，、；"
_ENDS = tuple(".!?。！？…")
_PLAIN = re.compile(r"[^\W_](?:[\w ,.()'+]*[\w).+])?")
"""A value that needs no quotes."""


@dataclass(frozen=True)
class Structure:
    """Keys with their words, in the order of ``KEYS``; never empty."""

    parts: tuple[tuple[str, Value], ...]

    @classmethod
    def of(cls, values: Mapping[str, Value | None]) -> Structure | None:
        """``None``: no key has a value."""
        parts = ((name, values[name]) for name in KEYS if values.get(name) is not None)
        kept = tuple((name, value) for name, value in parts if value is not None)
        return cls(kept) if kept else None

    def get(self, name: str) -> Value | None:
        return dict(self.parts).get(name)

    def changed(self, values: Mapping[str, Value | None]) -> Structure | None:
        """With other values of some keys; ``None`` takes a key out."""
        return Structure.of({**dict(self.parts), **values})

    @property
    def prompt(self) -> str:
        """The sentence: as the worker joins it, which does so by itself where it knows structures."""
        return joined(self.get(name) for name in WORDS)

    @property
    def negative(self) -> str | None:
        value = self.get("negative")
        return None if value is None else joined([value])

    @property
    def sent(self) -> dict[str, str | list[str]]:
        """As the worker takes it."""
        return {name: value if isinstance(value, str) else list(value) for name, value in self.parts}

    @property
    def written(self) -> str:
        """As lines to be typed."""
        lines: list[str] = []
        for name, value in self.parts:
            if isinstance(value, str):
                lines.append(f"{name}: {_quoted(value)}")
            else:
                lines += [f"{name}:", *(f"- {_quoted(item)}" for item in value)]
        return "\n".join(lines)


def joined(values: Iterable[Value | None]) -> str:
    """The words of texts and lists of texts, with commas between them; behind the end of a sentence with a space."""
    sentence = ""
    for value in values:
        for text in (value,) if isinstance(value, str) else value or ():
            words = text.strip(_LOOSE)
            if words:
                sentence += ("" if not sentence else " " if sentence.endswith(_ENDS) else ", ") + words
    return sentence


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
