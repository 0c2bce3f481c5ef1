"""A walk back through a room's main timeline, to where the conversation began."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..matrix.sync_answer import before, joins, membership_of, seconds
from ..store.rows import Request
from .entries import AnswerPart, Entry, mapping


class Walk:
    """Back through a timeline, newest event first."""

    def __init__(self, request: Request, bot: str, pause: float) -> None:
        self._own = {request.event_id, request.edit_id}
        self._root = request.event_id
        self._people = (request.sender, bot)
        self._sender = request.sender
        self._bot = bot
        self._pause = pause
        self._since: float | None = None
        """When the earliest known part of the conversation was said; ``None`` before the request is found."""
        self.newest_first: list[Entry] = []
        self._sure: int | None = None
        """How many of them came after the bot, as long as its invitation has not been found."""
        self._edits: dict[tuple[Any, Any], Mapping[str, Any]] = {}
        """The newest edit of each message, by its own sender; going back they come before what they change."""

    def ends(self, event: Mapping[str, Any], most: int) -> bool:
        """Does the conversation begin after this event, or is there enough of it?"""
        if self._since is None:
            return False
        if event.get("type") == "m.room.member" and event.get("state_key") != self._sender:
            if membership_of(event, self._bot) == "invite":
                self._sure = None
                return True
            if joins(event, self._bot) and before(event) == "invite" and self._sure is None:
                self._sure = len(self.newest_first)  # what was said since its invitation was said to it
            elif _comes_or_goes(event):
                return True
        return seconds(event) < self._since - self._pause or len(self.newest_first) > most

    def edit_of(self, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return self._edits.get((event.get("event_id"), event.get("sender")))

    def wants(self, event: Mapping[str, Any]) -> bool:
        """Is it one of the conversation's messages, the request apart?"""
        event_id, relates = event.get("event_id"), mapping(mapping(event.get("content")).get("m.relates_to"))
        if event_id in self._own:
            # What was asked after it is another turn; what was answered after it may belong before.
            self.newest_first = [entry for entry in self.newest_first if isinstance(entry, AnswerPart)]
            if event_id == self._root:
                self._since = seconds(event)
            return False
        if event.get("type") == "m.room.member" or event.get("sender") not in self._people:
            return False
        if relates.get("rel_type") == "m.replace" and isinstance(relates.get("event_id"), str):
            self._edits.setdefault((relates["event_id"], event.get("sender")), event)
            return False
        return relates.get("rel_type") != "m.thread"

    def found(self, entry: Entry, event: Mapping[str, Any]) -> None:
        self.newest_first.append(entry)
        if self._since is not None:
            self._since = min(self._since, seconds(event))

    def entries(self) -> list[Entry]:
        """Oldest first; nothing if the request itself is not there: then nobody knows what came before it."""
        return self.newest_first[: self._sure][::-1] if self._since is not None else []


def _comes_or_goes(event: Mapping[str, Any]) -> bool:
    """Not only a changed name, nor an invitation that was declined."""
    unsigned = mapping(event.get("unsigned"))
    before = mapping(unsigned.get("prev_content")) or mapping(event.get("prev_content"))
    memberships = {mapping(event.get("content")).get("membership"), before.get("membership")}
    return "join" in memberships and len(memberships) == 2
