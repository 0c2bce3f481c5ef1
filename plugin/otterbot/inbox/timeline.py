"""What of a room's timeline counts, and when it was said. Pure.

The order of a timeline is the room's own; the times in it are by the clocks of many homeservers, each right or not. So
what came before the bot was invited is told by its place. How old something is, is told by its own time only within the
bounds that other things set: it is no older than what stands before it (by the bot's own homeserver's clock), and what
the sync brings was said since the sync answered before.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from ..matrix.sync_answer import LEFT, Raw, before, joins, membership_of, seconds

SAID = "otterbot.said_at"
"""Set on each event when it comes, whatever its sender put there: when it counts as said (Unix seconds)."""

MOST = 2_000


def said_at(raw: Raw) -> float:
    return float(raw[SAID])


class SaidTimes:
    """When the newest events of the sync count as said: a walk that finds one of them as well knows less."""

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
    """The events (oldest first) with the times that they count as said at, between the bounds that are known."""
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
    """What counts of a sync's timeline (oldest first): all of it, or what came after the bot was invited into the room,
    or where nobody invited it, after it came. ``start`` is the state of the room before the timeline."""
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
    """A walk back through a room's timeline, as far as the bot was invited or came. Where it had been there before, and
    was put out, the walk goes on: what was said while it was there counts, and what was said meanwhile does not."""

    def __init__(self, bot: str) -> None:
        self._bot = bot
        self._newest: Raw | None = None
        self._came = False
        """The walk has met how the stay began that it walks through."""
        self._sure = False
        self._out = False
        """It walks through what was said while the bot was not there."""
        self._newest_first: list[Raw] = []
        self._until: int | None = None
        """How much of it counts for sure, where it is not known whether there was an invitation."""

    @property
    def came(self) -> Raw | None:
        """The bot's last coming, if the walk has met it."""
        return self._newest

    def ends(self, event: Raw) -> bool:
        """Take an event; true if nothing counts that stands before it."""
        membership = membership_of(event, self._bot)
        if self._out:
            left = membership in LEFT
            self._out = not (left and before(event) == "join")
            return left and before(event) is None  # what it was before is not said: it may never have been there
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
        """A stay begins with that event; true if it was the first one."""
        self._out = before(event) in LEFT
        self._came = self._came and not self._out
        return not self._out

    def page_ends(self) -> bool:
        """A page is read to its end; true if there is no sense in another one: an invitation that nothing speaks of
        stands close before the coming, or nowhere."""
        return self._came and not self._sure

    def events(self) -> list[Raw]:
        """What counts, oldest first."""
        return self._newest_first[: self._until][::-1]
