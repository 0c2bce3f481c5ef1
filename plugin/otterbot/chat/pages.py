"""The events of a thread or of a timeline, page by page, newest first and each once.

Pages of ``/relations`` overlap on some homeservers, and some refuse that call. A thread is then picked out of the
room's timeline.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from ..errors import MatrixRefused
from ..matrix.http import MatrixHttp
from .entries import mapping

MAX_PAGES = 10
SPOKEN = {"types": ["m.room.message", "m.room.encrypted", "m.room.member"]}


class Timeline:
    def __init__(self, http: MatrixHttp, room: str) -> None:
        self._http = http
        self._room = room
        self.whole = True
        """Whether nothing was refused to us, and it had an end."""

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Newest first. Raises a :class:`~..errors.MatrixError` where the homeserver does not answer."""
        seen: set[Any] = set()
        start: str | None = None
        for _ in range(MAX_PAGES):
            try:
                events, start = await self._http.messages(self._room, start=start, event_filter=SPOKEN)
            except MatrixRefused:
                self.whole = False
                return
            for event in fresh(events, seen):
                yield event
            if start is None:
                return
        self.whole = False


class Thread:
    """What hangs on ``root``."""

    def __init__(self, http: MatrixHttp, room: str, root: str) -> None:
        self._http = http
        self._room = room
        self._root = root
        self._edits: dict[tuple[Any, Any], Mapping[str, Any]] = {}
        self.by_timeline = False
        """Whether it is picked out of the timeline: then every edit is seen before what it changes."""
        self.whole = True

    def edit_of(self, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Its newest edit by its own sender, where that was seen on the way."""
        return self._edits.get((event.get("event_id"), event.get("sender")))

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        seen: set[Any] = set()
        start: str | None = None
        for _ in range(MAX_PAGES):
            try:
                events, start = await self._http.relations(self._room, self._root, "m.thread", start=start)
            except MatrixRefused:
                async for event in self._picked(seen):
                    yield event
                return
            for event in fresh(events, seen):
                yield event
            if start is None:
                return
        self.whole = False

    async def _picked(self, seen: set[Any]) -> AsyncIterator[dict[str, Any]]:
        self.by_timeline = True
        timeline = Timeline(self._http, self._room)
        reached = False
        async for event in timeline.events():
            relates = mapping(mapping(event.get("content")).get("m.relates_to"))
            if event.get("event_id") == self._root:
                reached = True
                break
            if relates.get("rel_type") == "m.replace":
                self._edits.setdefault((relates.get("event_id"), event.get("sender")), event)
            elif relates.get("rel_type") == "m.thread" and relates.get("event_id") == self._root:
                for one in fresh([event], seen):
                    yield one
        self.whole = timeline.whole and reached


def fresh(events: list[dict[str, Any]], seen: set[Any]) -> list[dict[str, Any]]:
    """Those that have not come yet."""
    found = []
    for event in events:
        if (event_id := event.get("event_id")) not in seen:
            seen.add(event_id)
            found.append(event)
    return found
