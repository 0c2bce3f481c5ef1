"""The newest edit of a message, also on homeservers that bundle none with it.

Synapse bundles the newest edit; Dendrite, conduwuit and tuwunel do not, so there each message that may have been edited
is asked about. Which kind of server it is shows by itself, and is remembered while the plugin runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .. import numeric
from ..errors import MatrixRefused
from ..matrix.http import MatrixHttp
from .entries import mapping

Source = Literal["relations", "event", "messages"]
"""The call that brought an event."""
MAX_QUESTIONS = 120
"""For one history: more than the messages of the default one."""
MAX_PAGES = 3
PAGE = 50


@dataclass(kw_only=True)
class Budget:
    """The questions that are left for one history."""

    left: int = MAX_QUESTIONS


class Spent(Exception):
    """No question is left: what is older cannot be told, and is not guessed."""


class Edits:
    """One per reader."""

    def __init__(self, http: MatrixHttp, bot: str) -> None:
        self._http = http
        self._bot = bot
        self._bundles: dict[Source, bool] = {}
        """Whether the homeserver bundles edits in the answers of each call; not known until something shows it."""

    def bundled(self, raw: Mapping[str, Any], source: Source) -> Mapping[str, Any] | None:
        """The newest edit by its own sender as it came with the event."""
        found = _hint(raw)
        if found:
            self._bundles[source] = True
        if found.get("sender") == raw.get("sender") and isinstance(found.get("content"), Mapping):
            return {**found, "room_id": raw.get("room_id")}
        return None

    async def newest(
        self, raw: Mapping[str, Any], source: Source, budget: Budget, *, expected: bool
    ) -> Mapping[str, Any] | None:
        """The newest edit of an event by its own sender, wherever it can be had; ``None``: there is none.

        Where one is ``expected`` it is asked for whatever was seen so far: a homeserver may have been told to bundle no
        more.
        Raises :class:`Spent`, and a :class:`~..errors.MatrixError` where the homeserver does not answer.
        """
        edit = self.bundled(raw, source)
        if edit is not None:
            return edit
        hinted = bool(_hint(raw))
        if self._bundles.get(source) and not hinted and not expected:
            return None
        if budget.left <= 0:
            raise Spent
        budget.left -= 1
        edit = await self._asked(str(raw.get("room_id")), str(raw.get("event_id")), raw.get("sender"))
        if edit is not None and not hinted:
            self._bundles.clear()  # it bundles no more: nothing that was seen of other calls counts either
            self._bundles[source] = False
        return edit

    async def _asked(self, room: str, event_id: str, sender: Any) -> Mapping[str, Any] | None:
        """Edits of others, which anybody may send, do not count, and may not hide the right ones."""
        start: str | None = None
        for _ in range(MAX_PAGES):
            try:
                edits, start = await self._http.relations(room, event_id, "m.replace", start=start, limit=PAGE)
            except MatrixRefused:
                return None  # the event is gone, or the homeserver knows no relations: nobody can tell of an edit
            own = [edit for edit in edits if edit.get("sender") == sender and _says(edit)]
            if own:
                return max(own, key=lambda edit: numeric.number(edit.get("origin_server_ts")) or 0.0)
            if start is None:
                return None
        return None


def _hint(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """What came with an event about its newest edit: all of it, or only that there is one."""
    return mapping(mapping(mapping(raw.get("unsigned")).get("m.relations")).get("m.replace"))


def _says(edit: Mapping[str, Any]) -> bool:
    """Not an edit that was deleted."""
    content = mapping(edit.get("content"))
    return isinstance(content.get("m.new_content"), Mapping) or "algorithm" in content
