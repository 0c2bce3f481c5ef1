"""A prompt by keys: what it is about, what it wears, where it is, how it feels, how it is drawn."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from .base import Received

MAX_WORDS = 4_000
MAX_ITEMS = 32
MAX_THEME = 64

Words = Annotated[str, Field(max_length=MAX_WORDS)]
Value = Words | Annotated[list[Words], Field(max_length=MAX_ITEMS)] | None
"""Text, or a list of texts; ``null`` as if the key were not there."""


class Structure(Received):
    """The keys of a structured prompt. From ``subject`` to ``style`` they are joined to the prompt, in this order."""

    theme: Annotated[str | None, Field(max_length=MAX_THEME)] = None
    """Names the files."""
    subject: Value = None
    outfit: Value = None
    environment: Value = None
    emotions: Value = None
    style: Value = None
    """Plain words."""
    negative: Value = None
    """Joined to the negative prompt; ``""``: none at all, not even the model's own."""


class UsedStructure(BaseModel):
    """The same as it was given, in a resolved request and in a record; keys that nobody gave are not there, in JSON
    too."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    theme: str | None = None
    subject: str | list[str] | None = None
    outfit: str | list[str] | None = None
    environment: str | list[str] | None = None
    emotions: str | list[str] | None = None
    style: str | list[str] | None = None
    negative: str | list[str] | None = None

    @model_serializer(mode="wrap")
    def _given(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if value is not None}
