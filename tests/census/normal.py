"""What differs from run to run, ids and times and addresses, becomes a placeholder that stays the same.

What is random is known by what it is (:meth:`Names.give` gives an id of an answer a name), by its key (``took``) or by
its form (a time in a file's name). The kind of value stays visible: a number that becomes ``null`` is a change.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

NUMBERS = frozenset({
    "created_at", "took", "eta_s", "until", "free_bytes", "total_bytes", "used_at", "origin_server_ts",
})  # fmt: skip
"""Keys whose numbers are never the same."""
OF_A_FILE = ("size", "sha256")
"""Of a picture's file: the record in it says how long it took."""
OWN_VERSION = ("version", "otterbot-worker")

_FORMS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"_\d{14}(?:_\d+)?(?=\.\w)"), "_<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "<day>"),
    (re.compile(r'(\btook(?:":|: | {2,}))[\d.]+'), r"\1<number>"),
    (re.compile(r"""(\botterbot(?:-worker)?(?:['"]?: ?['"]?| +))\d+\.\d[\w.+]*"""), r"\1<version>"),
    (re.compile(r"\b\d+(?:\.\d+)? GB(?= are free)"), "<number> GB"),
    (re.compile(r"https?://127\.0\.0\.1:\d+"), "<address>"),
)


class Names:
    """The random words of one census and what stands for them."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None
        self._forms: list[tuple[re.Pattern[str], str]] = list(_FORMS)

    def give(self, word: str, name: str) -> str:
        """``word`` is shown as ``<name>`` from now on; the first name of a word stays."""
        if word:
            self._known.setdefault(word, f"<{name}>")
            self._pattern = None
        return self._known.get(word, word)

    def form(self, pattern: str, name: str) -> None:
        """Everything of that form is shown as ``name``, in which ``\\1`` may stand for its groups."""
        self._forms.append((re.compile(pattern), name))

    def text(self, text: str) -> str:
        if self._known and self._pattern is None:
            words = sorted(self._known, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, words)))
        if self._pattern is not None:
            text = self._pattern.sub(lambda found: self._known[found[0]], text)
        for pattern, name in self._forms:
            text = pattern.sub(name, text)
        return text

    def clean(self, value: Any) -> Any:
        """A copy of what JSON holds, with placeholders."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.clean(one) for one in value]
        if isinstance(value, dict):
            file = OF_A_FILE if "image_id" in value else ()
            return {self.text(str(key)): self._of_key(key, one, key in file) for key, one in value.items()}
        return value

    def _of_key(self, key: str, value: Any, random: bool) -> Any:
        if random or (key in NUMBERS and isinstance(value, int | float) and not isinstance(value, bool)):
            return f"<{type(value).__name__}>" if isinstance(value, str) else "<number>"
        if key in OWN_VERSION and isinstance(value, str):
            return "<version>"
        return self.clean(value)


def without(value: Any, *keys: str) -> Any:
    """A copy in which the values of these keys, at any depth, are ``<moving>``: they depend on the moment."""
    return _mapped(value, lambda key, one: "<moving>" if key in keys else one)


def _mapped(value: Any, change: Callable[[str, Any], Any]) -> Any:
    if isinstance(value, dict):
        return {key: change(key, _mapped(one, change)) for key, one in value.items()}
    return [_mapped(one, change) for one in value] if isinstance(value, list) else value


def shape(value: Any) -> Any:
    """Only the keys and the kinds of what they hold."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__
