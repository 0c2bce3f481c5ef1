"""Whether the bot was kicked or banned from rooms, from the sync.

Synapse shows nothing of a room to those who are banned from it, so a ban looks like any other refusal. But the sync
says it once, when it happens. Where that was missed (nobody listened, or it was before this start), a sync from the
beginning says it again; it is asked for once for a room, since the homeserver looks through all rooms for it.
"""

from __future__ import annotations

from typing import Any

from ..errors import MatrixRefused
from .http import MatrixHttp
from .sync_answer import LEFT, Raw, SyncAnswer, membership_of

MOST = 20
"""Limit of membership events that are searched for the bot's own, which is the last."""


class Departures:
    """One per plugin instance."""

    def __init__(self, http: MatrixHttp, bot: str) -> None:
        self._http = http
        self._bot = bot
        self._known: dict[str, str | None] = {}
        """Room → membership; ``None``: the homeserver was asked and does not tell."""
        self._asking: set[str] = set()
        """Rooms being asked, about which the sync has brought nothing meanwhile."""

    def heard(self, room: str, state: Raw) -> None:
        """A state event that came by the sync."""
        membership = membership_of(state, self._bot)
        if membership is None:
            return
        self._asking.discard(room)
        self._known.pop(room, None)
        if membership in LEFT:
            self._known[room] = membership

    async def membership(self, room: str) -> str | None:
        """``leave`` or ``ban`` in a room that we are not in; ``None``: not known. Raises if it cannot be asked."""
        if room not in self._known:
            await self._ask(room)
        return self._known.get(room)

    async def _ask(self, room: str) -> None:
        self._asking.add(room)
        try:
            answer = SyncAnswer(await self._http.first_sync(_wanted(room)))
        except MatrixRefused:
            answer = SyncAnswer(None)
        if room not in self._asking:
            return  # the answer may be older than the sync's news: ask again next time
        self._known[room] = None
        if room in answer.left():
            for state in answer.state(room):
                self.heard(room, state)


def _wanted(room: str) -> dict[str, Any]:
    """Next to nothing. Not ``lazy_load_members``: Synapse would leave out of the real sync what it has told here."""
    nothing: dict[str, Any] = {"types": []}
    return {
        "rooms": [room],
        "include_leave": True,
        "timeline": {"types": ["m.room.member"], "limit": MOST},
        "state": nothing,
        "ephemeral": nothing,
        "account_data": nothing,
    }
