"""Settings out of a picture's record: input from a room, never truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..language.option_kinds import Name, NeverTyped, Words
from ..language.options import DrawOptions, settings_of


@dataclass(frozen=True, kw_only=True)
class Written:
    """A prompt that a language model wrote."""

    prompt: str
    """What it was asked with."""
    model: str
    drawn: str | None = None
    """What it wrote, where a request says so that is not drawn yet; a picture's prompt is what was drawn."""

    @property
    def source(self) -> dict[str, str]:
        """As the worker takes it with a prompt that was written before."""
        return {"prompt": self.prompt, "model": self.model}


def read_expansion(used: Any) -> Written | None:
    """What ``used`` says of that; ``None``: its prompt is somebody's own, or it says what nobody can believe."""
    found = used.get("expansion") if isinstance(used, Mapping) else None
    if not isinstance(found, Mapping):
        return None
    try:
        prompt, model = Words().recorded(found.get("prompt")), Name().recorded(found.get("model"))
        prompts = found.get("prompts")
        drawn = Words().recorded(prompts[0]) if isinstance(prompts, list) and prompts else None
    except NeverTyped:
        return None
    return Written(prompt=prompt, model=model, drawn=drawn)


def before_styles(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """A picture's record with its styles under the name that requests have for them, and in place of the words as they
    were drawn those that the styles were put around."""
    if not data.get("styles"):
        return data
    words = data.get("styled")
    before = {name: words.get(name) for name in ("prompt", "negative_prompt")} if isinstance(words, Mapping) else {}
    return {**data, **before, "style": data["styles"]}


def read_settings(data: Any) -> DrawOptions | None:
    """The settings in ``asked`` or ``used``, each held to the bounds of a typed flag.

    ``None`` if ``data`` is not a mapping or holds anything that nobody could have typed: a record
    that lies about one thing is not believed about the others. Unknown fields are ignored.
    """
    if not isinstance(data, Mapping):
        return None
    try:
        return settings_of(before_styles(data))
    except NeverTyped:
        return None
