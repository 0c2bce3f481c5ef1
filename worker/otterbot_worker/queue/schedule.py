"""Which picture or turn comes next: a pure function.

Rows that need the same model are a group. The group comes next that costs the fewest seconds for each waiting person:
its work, its load, and the load of what leaves the card for it, if somebody waits for that. So what is on the card goes
on while people want it, and a model is loaded for several rather than for one. A turn of chat counts a little more than
a picture, because a person waits for each word; who has waited for minutes counts more, and whoever had much of the
worker lately counts less. Within the group it is the turn of whoever had least.

A row that comes before others whose turn it was overtakes them, and they count the seconds of work that this costs. No
row is overtaken by more than its bound. What this is worth: ``benchmarks/schedule_simulation.py``.

With several cards each asks for itself. It leaves a group to another one that would be through with all of it before
this one had done a single row: because it has the model, or is faster. A row that is to come from a certain card is
left to that one, if it will have nothing else to do within a minute. What is left does not wait for this card, so it
does not count as overtaken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from .heads import NEVER, Head, Service

Owner = tuple[str, str]
"""Client and owner: the same name at two clients is two people."""
GroupKey = tuple[str, str]
"""What is needed, and which: rows of a group need one load together."""

TALK_WEIGHT = 1.3
"""How much a turn of chat counts beside a picture."""
MUCH = 25.0
"""Seconds of recent work after which a person counts half."""
LONG = 120.0
"""Seconds of waiting after which a row counts twice. It grows until then, and no further: forty pictures that have all
waited for ten minutes are still one person's."""
TALK = ("chat", "prompt", "describe")
_TALK_GROUP: GroupKey = ("talk", "")
"""A prompt is written by whatever language model is there."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Seconds of work by which a row may be overtaken."""

    picture: float
    talk: float
    """Turns of chat, descriptions, and prompts that a language model writes."""

    def of(self, head: Head) -> float:
        return self.talk if head.kind in TALK else self.picture


PATIENCE = 60.0
"""Seconds for which a card may still be at work that a row is left to because it is to come from that one."""


class Costs(Protocol):
    """What was measured, in seconds; something sensible where nothing was."""

    def row(self, kind: str, model: str, work: float) -> float:
        """The row itself, without a load."""

    def load(self, kind: str, model: str) -> float:
        """Until its model is there, if it is not."""


@dataclass(frozen=True, kw_only=True)
class OnCard:
    """What needs no load."""

    image: str | None = None
    chat: bool = False
    """A language model is there; prompts and turns fit."""
    beside: bool = False
    """Nothing is loaded onto a card: these rows need none."""

    def has(self, head: Head) -> bool:
        if self.beside or head.kind == "describe":
            return True
        return self.chat if head.kind in TALK else head.model == self.image

    @property
    def leaves(self) -> GroupKey | None:
        """What leaves the card for a load. A language model beside an image model was measured to fit and stays."""
        if self.image is not None:
            return "image", self.image
        return _TALK_GROUP if self.chat else None


@dataclass(frozen=True, kw_only=True)
class Other:
    """Another card, as one sees it that has nothing to do."""

    free_in: float
    """Seconds until it has nothing to do either."""
    on_card: OnCard
    """What it will have then."""
    costs: Costs
    skip: frozenset[str] = frozenset()
    """Kinds that it cannot run."""
    can: Callable[[Head], bool] = lambda head: True
    """Whether it has what a row needs."""
    card: str = ""
    """Its name, as records have it; empty where that is not known yet."""

    def awaited_by(self, row: Head) -> bool:
        """It is the card that is to draw the row, and soon could."""
        if not row.card or row.card != self.card or row.kind in self.skip or not self.can(row):
            return False
        return self.free_in <= PATIENCE

    def through_within(self, seconds: float, rows: Sequence[Head]) -> bool:
        """It would be done with all rows of a group before so many seconds are over."""
        work, load = self.free_in, 0.0
        for row in rows:
            if row.kind in self.skip or not self.can(row):
                return False
            if not self.on_card.has(row):
                load = max(load, self.costs.load(row.kind, row.model))
            work += row.count * self.costs.row(row.kind, row.model, row.work)
            if work + load >= seconds:  # of thousands that wait, the first few say so
                return False
        return True


@dataclass(frozen=True, kw_only=True)
class Choice:
    seq: int
    seconds: float
    """What it is expected to cost, its load included."""
    overtaken: tuple[int, ...] = ()
    """Rows whose turn it was."""


def choose(
    heads: Sequence[Head],
    *,
    on_card: OnCard,
    served: Mapping[Owner, Service],
    now: float,
    bounds: Bounds,
    costs: Costs,
    skip: frozenset[str] = frozenset(),
    others: Sequence[Other] = (),
    card: str = "",
) -> Choice | None:
    """The next row of ``heads`` (the first queued row of each owner, kind, model and card).

    ``skip``: kinds that cannot run now. ``others``: the other cards; ``card``: this one's name.
    ``None``: nothing can, or all is left to others.
    """
    order = fair_order([head for head in heads if head.kind not in skip and not _awaits(head, card, others)], served)
    groups: dict[GroupKey, list[Head]] = {}
    for head in order:
        groups.setdefault(_group(head), []).append(head)

    def seconds(head: Head) -> float:
        """With its load."""
        load = 0.0 if on_card.has(head) else costs.load(head.kind, head.model)
        return load + costs.row(head.kind, head.model, head.work)

    def recent(head: Head) -> float:
        return served.get((head.client, head.owner), NEVER).recent(now)

    def worth(key: GroupKey) -> float:
        """Seconds for each of those who wait for it."""
        rows = groups[key]
        load = max(seconds(head) - costs.row(head.kind, head.model, head.work) for head in rows)
        if load and (leaving := on_card.leaves) is not None and leaving in kept:
            load += costs.load(groups[leaving][0].kind, groups[leaving][0].model)
        work = sum(costs.row(head.kind, head.model, head.work) for head in rows)
        return (load + work) / sum(_weight(head, now) / (1 + recent(head) / MUCH) for head in rows)

    def left(key: GroupKey) -> bool:
        """Another card is through with the whole group before this one had done its quickest row."""
        soonest = min(seconds(head) for head in groups[key])
        fit = [other for other in others if not any(head.card == card != other.card for head in groups[key] if card)]
        return any(other.through_within(soonest, groups[key]) for other in fit)

    kept = [key for key in groups if not left(key)]
    order = [head for head in order if _group(head) in kept]
    place = {head.seq: number for number, head in enumerate(order)}
    patience = list(accumulate((bounds.of(row) - row.overtaken_seconds for row in order), min, initial=math.inf))
    for key in sorted(kept, key=worth):  # equal ones by whose turn it is
        # A chat is waited for word by word, a prompt only for its picture.
        for head in sorted(groups[key], key=lambda head: (recent(head), head.kind == "prompt", place[head.seq])):
            cost = seconds(head)
            if cost <= patience[place[head.seq]]:  # of all whose turn comes before
                ahead = order[: place[head.seq]]
                return Choice(seq=head.seq, seconds=cost, overtaken=tuple(row.seq for row in ahead))
    return None


def fair_order(heads: Iterable[Head], served: Mapping[Owner, Service]) -> list[Head]:
    """Whose turn it is: whoever waits for longest, since the row came or since its owner was served last, whichever is
    later. A person's own turns of chat come before the pictures."""

    def since(head: Head) -> tuple[float, bool, int]:
        last = served.get((head.client, head.owner), NEVER).at
        return max(head.created_at, last), head.kind not in TALK, head.seq

    return sorted(heads, key=since)


def _awaits(head: Head, card: str, others: Sequence[Other]) -> bool:
    """Another card is to draw it."""
    return head.card != card and any(other.awaited_by(head) for other in others)


def _group(head: Head) -> GroupKey:
    if head.kind in ("chat", "prompt"):
        return _TALK_GROUP
    return head.kind, head.model


def _weight(head: Head, now: float) -> float:
    waited = min(max(0.0, now - head.created_at) / LONG, 1.0)
    return (TALK_WEIGHT if head.kind in TALK else 1.0) * (1 + waited)
