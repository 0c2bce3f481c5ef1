"""What a server does not take of a request, by model: left out from then on, and said once.

Servers differ in the fields that they know, and most refuse what they do not, one field at a time.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .failures import ServerRefused
from .wire import ALWAYS, LONGER_NAME

_PICTURE = re.compile(r"\bimages?\b|image_url|multi-?modal|\bvision\b", re.IGNORECASE)
_TOOLS = re.compile(r"\btools?\b|tool[ _-](?:choice|call|use)|function[ _-]?call", re.IGNORECASE)
MOST = 200
"""Models that are remembered."""


@dataclass
class Refused:
    """Of one model."""

    fields: set[str] = field(default_factory=set)
    pictures: bool = False


class Refusals:
    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._models: dict[str, Refused] = {}

    def of(self, model: str) -> Refused:
        while len(self._models) >= MOST and model not in self._models:
            del self._models[next(iter(self._models))]
        return self._models.setdefault(model, Refused())

    def taken(self, model: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Of the fields ``wanted`` those that the server takes, under the names that it takes."""
        refused = self.of(model).fields
        found = {name: value for name, value in wanted.items() if name not in refused}
        if "max_tokens" in wanted and "max_tokens" in refused and LONGER_NAME not in refused:
            found[LONGER_NAME] = wanted["max_tokens"]
        return found

    def learn(self, model: str, error: ServerRefused, body: Mapping[str, Any], *, pictures: bool) -> str | None:
        """Takes in a refusal of ``body``; what to say of it, ``""``: nothing. ``None``: it is about something else."""
        if error.status not in (400, 404, 415, 422, 500, 501):
            return None
        refused = self.of(model)
        if pictures and error.status != 404 and _PICTURE.search(error.words):
            refused.pictures = True
            self._log.info("the chat server takes no pictures for a model: HTTP %d", error.status)
            return ""  # said with each answer that it concerns
        if "tools" in body and _TOOLS.search(error.words):
            refused.fields.add("tools")
            self._log.warning("the chat server takes no tools for a model; it is told of none from now on")
            return "The chat server lets this model ask for no pictures."
        name = _named(error, body) if error.status in (400, 422) else None
        if name is None:
            return None
        refused.fields.add(name)
        self._log.warning("the chat server does not take the field %s for a model; it is left out from now on", name)
        if name == "max_tokens":
            return ""  # it has another name for it
        return f"The chat server does not take the setting {name} for this model, so it was left out."


def _named(error: ServerRefused, body: Mapping[str, Any]) -> str | None:
    """The field of ``body`` that the refusal is about: the one that it names as such, else the first in its words."""
    fields = [name for name in body if name not in ALWAYS]
    for name in fields:
        if error.param == name or error.param.startswith((f"{name}.", f"{name}[")):
            return name
    found = {name: re.search(rf"\b{re.escape(name)}\b", error.words) for name in fields}
    places = {name: match.start() for name, match in found.items() if match is not None}
    return min(places, key=places.__getitem__, default=None)
