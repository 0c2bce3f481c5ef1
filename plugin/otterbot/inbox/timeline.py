"""Which events of a room's timeline count, and when they were said. Pure.

The order of a timeline is the room's own; the times in it are by the clocks of many homeservers, each right or not. So
whether an event came before the bot's invitation is decided by its position. An event's own timestamp counts only
within bounds: it is no older than the event before it (by the bot's own homeserver's clock), and events of a sync were
said after the previous sync answer.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from ..matrix.sync_answer import LEFT, Raw, before, joins, membership_of, seconds

SAID = "otterbot.said_at"
"""Key set on each received event, overwriting the sender's value: when it counts as said (Unix seconds)."""

MOST = 2_000


def said_at(raw: Raw) -> float:
    return float(raw[SAID])


class SaidTimes:
    """Times of the newest events of the sync, for walks that find the same events with less knowledge."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, float] = OrderedDict()

    def note(self, events: Iterable[Raw]) -> None:
        for event in events:
            self._times[str(event.get("event_id"))] = said_at(event)
            if len(self._times) > MOST:
                self._times.popitem(last=False)

    def at(self, event: Raw) -> float:
        return self._times.get(str(event.get("event_id")), -math.inf)


def dated(
    timeline: Iterable[Raw],
    bot: str,
    *,
    earliest: float = -math.inf,
    latest: float = math.inf,
    heard: SaidTimes | None = None,
) -> list[Raw]:
    """The events (oldest first) with their times, limited by the known bounds."""
    own = bot.partition(":")[2]
    proven, found = earliest, list[Raw]()
    for event in timeline:
        known = -math.inf if heard is None else heard.at(event)
        at = min(max(seconds(event), proven, known), latest)
        if str(event.get("sender")).partition(":")[2] == own:
            proven = max(proven, at)
        found.append({**event, SAID: at})
    return found


def since_invited(start: Iterable[Raw], timeline: Sequence[Raw], bot: str) -> Sequence[Raw]:
    """The events of a sync's timeline that count (oldest first): all, or those after the bot's invitation, or after its
    join if it was not invited. ``start`` is the state of the room before the timeline."""
    came = next((place for place in reversed(range(len(timeline))) if joins(timeline[place], bot)), None)
    if came is None:
        return timeline
    for place in reversed(range(came)):
        membership = membership_of(timeline[place], bot)
        if membership is not None:
            return timeline[(place if membership == "invite" else came) + 1 :]
    invited = before(timeline[came]) == "invite" or any(membership_of(event, bot) == "invite" for event in start)
    return timeline if invited else timeline[came + 1 :]


class Coming:
    """A walk back through a room's timeline to the bot's invitation or join. If it had been in the room before, the
    walk continues: events of earlier stays count, events in between do not."""

    def __init__(self, bot: str) -> None:
        self._bot = bot
        self._newest: Raw | None = None
        self._came = False
        """The walk has met the beginning of the current stay."""
        self._sure = False
        self._out = False
        """The walk is in a period without the bot."""
        self._newest_first: list[Raw] = []
        self._until: int | None = None
        """Number of events that count for sure, while it is unknown whether there was an invitation."""

    @property
    def came(self) -> Raw | None:
        """The bot's latest join, if the walk has met it."""
        return self._newest

    def ends(self, event: Raw) -> bool:
        """Take an event; true if no earlier event counts."""
        membership = membership_of(event, self._bot)
        if self._out:
            left = membership in LEFT
            self._out = not (left and before(event) == "join")
            return left and before(event) is None  # unknown before: it may never have been there
        if not self._came:
            self._newest_first.append(event)
            return joins(event, self._bot) and self._joins(event)
        if membership is None:
            self._newest_first.append(event)
            return False
        if membership == "invite":
            self._until = None
            return self._begins(event)
        return True

    def _joins(self, event: Raw) -> bool:
        self._newest = self._newest or event
        self._came, self._sure = True, before(event) == "invite"
        if self._sure:
            return False
        if before(event) in LEFT:
            return self._begins(event)
        self._until = len(self._newest_first)
        return before(event) is not None

    def _begins(self, event: Raw) -> bool:
        """The event begins a stay; true if it is the first stay."""
        self._out = before(event) in LEFT
        self._came = self._came and not self._out
        return not self._out

    def page_ends(self) -> bool:
        """A page is read; true if another one is pointless: an unmentioned invitation is close before the join, or does
        not exist."""
        return self._came and not self._sure

    def events(self) -> list[Raw]:
        """The events that count, oldest first."""
        return self._newest_first[: self._until][::-1]
