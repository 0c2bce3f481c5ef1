"""Settings of a picture that need no resolving: passed on unchanged from the request to the engine and the record.

To add one, add a field to `Settings` and the code that uses it. The request of the API, the row, the task, the record,
A1111's text, what `show` reads and the line that it prints follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a field of `Settings` is called outside, as ``Annotated`` holds it."""

    flag: str
    """In a room, without its dashes."""
    parameter: str
    """In A1111's text."""
    label: str
    """In sentences for people."""
    families: frozenset[str]
    """With which families of models it acts; with the others a note says that it does not."""


class Settings(BaseModel):
    """``None``: as the model is used without it."""

    clip_skip: Annotated[
        int | None,
        Field(ge=1, le=12),
        Setting(flag="clip-skip", parameter="Clip skip", label="clip skip", families=frozenset({"sd"})),
    ] = None
    """The layer of the text encoder that the prompt is taken from, counted from the last one, which is 1; as in A1111,
    where it has no effect with SDXL either."""

    def settings(self) -> dict[str, Any]:
        """All settings by name, to construct the next type of the same request."""
        return {name: getattr(self, name) for name in SETTINGS}

    def without_effect(self, family: str, model: str) -> list[str]:
        """A sentence for each that is asked for and does not act with a model of that family."""
        asked = [one for name, one in SETTINGS.items() if getattr(self, name) is not None]
        return [f"{one.label.capitalize()} has no effect with {model}." for one in asked if family not in one.families]


SETTINGS = {
    name: meta for name, field in Settings.model_fields.items() for meta in field.metadata if isinstance(meta, Setting)
}
"""Field name → its metadata."""
