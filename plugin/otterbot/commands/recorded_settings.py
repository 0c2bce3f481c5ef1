"""Settings out of a picture's record: input from a room, never truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..language.option_kinds import NeverTyped
from ..language.options import DrawOptions, settings_of


def read_settings(data: Any) -> DrawOptions | None:
    """The settings in ``asked`` or ``used``, each held to the bounds of a typed flag.

    ``None`` if ``data`` is not a mapping or holds anything that nobody could have typed: a record
    that lies about one thing is not believed about the others. Unknown fields are ignored.
    """
    if not isinstance(data, Mapping):
        return None
    try:
        return settings_of(data)
    except NeverTyped:
        return None
