"""What people's clients said about room keys that they do not send (``m.room_key.withheld``)."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

CODE = re.compile(r"[A-Za-z0-9._-]{1,60}")
"""What a code may be: it goes into the log and into ``!status``."""
EVENT_TYPES = frozenset({"m.room_key.withheld", "org.matrix.room_key.withheld"})
PEOPLE, EACH = 1_000, 50
"""Of how many people, and how much of each, is remembered; the oldest is forgotten first."""

NO_OLM = "m.no_olm"
"""No channel to our device: said of the device, not of a session."""


class Withheld:
    """One per plugin instance. Only what people say about their own keys counts, and only of people in ``allowed``."""

    def __init__(self, allowed: Callable[[str], bool]) -> None:
        self._allowed = allowed
        self._said: OrderedDict[str, OrderedDict[tuple[str, str], str]] = OrderedDict()
        """By person: room and session (both empty for :data:`NO_OLM`) → code."""

    def heard(self, events: Iterable[Mapping[str, Any]]) -> None:
        """To-device events have come. The homeserver vouches for the sender, for nothing else in them."""
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
        """Why ``sender`` did not send that key; ``None`` if nothing was said."""
        said = self._said.get(sender)
        return None if said is None else said.get((room, session)) or said.get(("", ""))
