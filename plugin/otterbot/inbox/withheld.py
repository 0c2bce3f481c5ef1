"""Reasons why people's clients withhold room keys (``m.room_key.withheld``)."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

CODE = re.compile(r"[A-Za-z0-9._-]{1,60}")
"""Allowed codes: they are shown in the log and in ``!status``."""
EVENT_TYPES = frozenset({"m.room_key.withheld", "org.matrix.room_key.withheld"})
PEOPLE, EACH = 1_000, 50
"""Limits of people, and of entries per person; the oldest is forgotten first."""

NO_OLM = "m.no_olm"
"""No Olm session with our device; applies to the device, not to a room key."""


class Withheld:
    """One per plugin instance. Accepts only codes about the sender's own keys, and only from people in ``allowed``."""

    def __init__(self, allowed: Callable[[str], bool]) -> None:
        self._allowed = allowed
        self._said: OrderedDict[str, OrderedDict[tuple[str, str], str]] = OrderedDict()
        """Person → (room, session) → code; both empty for :data:`NO_OLM`."""

    def heard(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Read to-device events. The homeserver guarantees the sender, nothing else in them."""
        for event in events:
            sender, content = event.get("sender"), event.get("content")
            if event.get("type") not in EVENT_TYPES or not isinstance(sender, str) or not isinstance(content, Mapping):
                continue
            code, room, session = (content.get(name) for name in ("code", "room_id", "session_id"))
            if not isinstance(code, str) or not CODE.fullmatch(code) or not self._allowed(sender):
                continue
            if isinstance(room, str) and isinstance(session, str):
                self._note(sender, (room[:255], session[:255]), code)
            elif code == NO_OLM:
                self._note(sender, ("", ""), code)

    def _note(self, sender: str, place: tuple[str, str], code: str) -> None:
        said = self._said.setdefault(sender, OrderedDict())
        self._said.move_to_end(sender)
        said[place] = code
        said.move_to_end(place)
        if len(said) > EACH:
            said.popitem(last=False)
        if len(self._said) > PEOPLE:
            self._said.popitem(last=False)

    def code(self, sender: str, room: str, session: str) -> str | None:
        """Why ``sender`` withheld that key; ``None`` if unknown."""
        said = self._said.get(sender)
        return None if said is None else said.get((room, session)) or said.get(("", ""))
