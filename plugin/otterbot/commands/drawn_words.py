"""Words of a picture that were drawn by chance: drawn anew with a new seed, else kept as they are.

Pure. What they were drawn from stands in the picture's record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..language.chance import literal
from ..language.option_kinds import NeverTyped, Words
from ..language.option_values import KeyChange
from ..language.options import DrawOptions


@dataclass(frozen=True, kw_only=True)
class Templates:
    """What words were drawn from; ``None``: they are nobody's draw."""

    prompt: str | None = None
    negative_prompt: str | None = None

    @property
    def source(self) -> dict[str, str] | None:
        """As the worker takes it with words that were drawn before."""
        return {name: text for name, text in vars(self).items() if text is not None} or None

    def without(self, typed: DrawOptions) -> Templates:
        """Those of the words that nobody changes."""
        changed = typed.prompt is not None or typed.changes
        negative = any(isinstance(one, KeyChange) and one.name == "negative" for one in typed.changes or ())
        return Templates(
            prompt=None if changed else self.prompt,
            negative_prompt=None if negative or typed.negative_prompt is not None else self.negative_prompt,
        )


def read_templates(used: Any) -> Templates:
    """What ``used`` says of that, as far as anybody could have typed it."""
    found = used.get("chance") if isinstance(used, Mapping) else None
    if not isinstance(found, Mapping):
        return Templates()
    try:
        return Templates(**{name: _words(found.get(name)) for name in ("prompt", "negative_prompt")})
    except NeverTyped:
        return Templates()


def _words(text: Any) -> str | None:
    return None if text is None else Words().recorded(text)


def drawn_anew(used: DrawOptions, templates: Templates, *, but_prompt: bool = False) -> DrawOptions:
    """With the words as they were before chance, and all others as they were drawn. ``but_prompt``: it stays, too."""
    kept = as_drawn(used)
    prompt = None if but_prompt else templates.prompt
    return replace(
        kept,
        prompt=kept.prompt if prompt is None else prompt,
        negative_prompt=kept.negative_prompt if templates.negative_prompt is None else templates.negative_prompt,
    )


def as_drawn(used: DrawOptions) -> DrawOptions:
    """With the words as they were drawn: nothing in them is drawn once more."""
    return replace(used, prompt=_literal(used.prompt), negative_prompt=_literal(used.negative_prompt))


def _literal(text: str | None) -> str | None:
    return None if text is None else literal(text)
