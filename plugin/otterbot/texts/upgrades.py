"""What is said of rooms that were upgraded, and of rooms in which nothing could be said for a while."""

from __future__ import annotations

from collections.abc import Mapping

from .escape import code


def settings_came_along(settings: Mapping[str, str]) -> str:
    """In place of the greeting, in a room that replaces another."""
    said = []
    if "model" in settings:
        said.append(f"model {code(settings['model'])}")
    if "safe" in settings:
        said.append(f"safe mode {settings['safe']}")
    return f"What was set in the room before this one holds here, too: {', '.join(said) or 'its settings'}."
