"""Measured speeds, and estimates of the queue from them. Pure, except for ``Speeds``.

A picture costs its megapixel-steps at the model's speed, a chat turn the average of turns, a change of model its
loading time. Without measurements there is no estimate rather than an invented one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..queue.heads import NEVER, Group, Service
from ..queue.schedule import Owner

RATE = "/mps"
"""The end of the names of speeds; all others are seconds."""
NEWEST = 0.25
"""Weight of a new measurement, once there are some."""


class Speeds:
    """Running averages by name, as the database keeps them: value and number of samples."""

    def __init__(self, known: Mapping[str, tuple[float, int]] | None = None) -> None:
        self._known = dict(known or {})
        self._guessed: dict[str, float] = {}

    def key(self, name: str) -> str:
        """The name under which it is stored."""
        return name

    def add(self, name: str, value: float) -> tuple[float, int]:
        """Takes in a measurement; returns what is now to be stored."""
        old, samples = self._known.get(self.key(name), (value, 0))
        weight = max(NEWEST, 1 / (samples + 1))
        self._known[self.key(name)] = (old + (value - old) * weight, samples + 1)
        return self._known[self.key(name)]

    def get(self, name: str) -> float | None:
        found = self._known.get(self.key(name))
        return found[0] if found else self._guessed.get(self.key(name))

    def measured(self, name: str) -> tuple[float, int] | None:
        """As it is stored."""
        return self._known.get(self.key(name))

    def guess(self, name: str, value: float) -> None:
        """A provisional value from a running picture; counts until there is a measurement."""
        self._guessed[self.key(name)] = value

    def row_seconds(self, kind: str, model: str, work: float) -> float | None:
        """One picture of ``work`` megapixel-steps without its load, or one turn."""
        if kind != "image":
            return self.get(turn_name(model, kind))
        speed = self.get(speed_name(model))
        return work / speed if speed else None

    def load_seconds(self, model: str) -> float:
        return self.get(load_name(model)) or 0.0


class CardSpeeds(Speeds):
    """Of a card beside the first one: its own measurements, and until there are some, the first one's.

    ``slower``: how many times slower it is taken to be until then.
    """

    def __init__(self, first: Speeds, card: str, *, slower: float) -> None:
        self._first = first
        self._card = card
        self._slower = slower
        self._known, self._guessed = first._known, first._guessed

    def key(self, name: str) -> str:
        return f"{self._card}/{name}"

    def get(self, name: str) -> float | None:
        own = super().get(name)
        if own is not None:
            return own
        other = self._first.get(name)
        if other is None:
            return None
        return other / self._slower if name.endswith(RATE) else other


def speed_name(model: str) -> str:
    """Megapixel-steps per second."""
    return f"image/{model}{RATE}"


def load_name(model: str) -> str:
    """Seconds until the model could draw."""
    return f"image/{model}/load"


def finish_name(model: str) -> str:
    """Seconds per megapixel from the last step to the pixels."""
    return f"image/{model}/finish"


def turn_name(model: str, kind: str = "chat") -> str:
    """Seconds of a chat turn, or of a description."""
    return f"{kind}/{model}/turn"


CHAT_LOAD = "chat/load"
"""Seconds until a language model could answer."""
PROMPT = "prompt"
"""Seconds in which a language model writes a prompt."""


USUAL = {"image": 15.0, "chat": 10.0, "prompt": 10.0, "describe": 15.0}
"""Seconds of a row where nothing was measured."""
USUAL_LOAD = {"image": 20.0, "chat": 10.0, "prompt": 10.0}


class Costs:
    """What rows cost, for the schedule (:class:`~..queue.schedule.Costs`), which needs a number always."""

    def __init__(self, speeds: Speeds) -> None:
        self._speeds = speeds

    def row(self, kind: str, model: str, work: float) -> float:
        known = self._speeds.get(PROMPT) if kind == "prompt" else self._speeds.row_seconds(kind, model, work)
        return known or USUAL.get(kind, 0.0)

    def load(self, kind: str, model: str) -> float:
        measured = self._speeds.load_seconds(model) if kind == "image" else self._speeds.get(CHAT_LOAD)
        return measured or USUAL_LOAD.get(kind, 0.0)


@dataclass(frozen=True, kw_only=True)
class _Person:
    rank: int
    pictures: int
    seconds: float | None
    """Seconds of all its rows together."""


class Line:
    """The queue as one line: chat turns and descriptions first, then pictures, one of each person in turn.

    Estimates the schedule, ignoring that rows of the loaded model may overtake. Linear in the groups to build, and in
    the owners to ask.
    """

    def __init__(self, groups: Sequence[Group], served: Mapping[Owner, Service], speeds: Speeds) -> None:
        first: dict[Owner, int] = {}
        images: dict[Owner, list[Group]] = {}
        self._turns: dict[Owner, int] = {}
        self._turn_seconds = 0.0
        self._turns_known = True
        for group in groups:
            owner = (group.client, group.owner)
            first[owner] = min(first.get(owner, group.first_seq), group.first_seq)
            if group.kind not in ("chat", "describe"):
                images.setdefault(owner, []).append(group)
                continue
            self._turns[owner] = self._turns.get(owner, 0) + group.count
            one = speeds.row_seconds(group.kind, group.model, 0.0)
            self._turns_known &= one is not None
            self._turn_seconds += (one or 0.0) * group.count
        order = sorted(first, key=lambda owner: (served.get(owner, NEVER).at, first[owner]))
        self._rank = {owner: rank for rank, owner in enumerate(order)}
        self._people = {
            owner: _Person(
                rank=self._rank[owner],
                pictures=sum(group.count for group in mine),
                seconds=_seconds(mine, speeds),
            )
            for owner, mine in images.items()
        }

    def place(self, owner: Owner, kind: str, before: int) -> int:
        """How many rows come before one of ``owner`` that has ``before`` rows of its kind in front of it."""
        rank = self._rank.get(owner, len(self._rank))
        if kind != "image":
            others = ((self._rank[other], count) for other, count in self._turns.items() if other != owner)
            return before + sum(min(count, before + (theirs < rank)) for theirs, count in others)
        ahead = sum(
            min(person.pictures, before + (person.rank < rank))
            for other, person in self._people.items()
            if other != owner
        )
        return sum(self._turns.values()) + before + ahead

    def seconds(self, owner: Owner, kind: str, until: int) -> float | None:
        """Seconds of the line up to and including ``owner``'s row number ``until`` (from 1) of its kind."""
        if not self._turns_known:
            return None
        if kind != "image":
            turns = sum(self._turns.values())
            return self._turn_seconds * (self.place(owner, kind, until - 1) + 1) / turns if turns else None
        mine = self._people.get(owner)
        if mine is None or mine.seconds is None:
            return None
        total = self._turn_seconds + mine.seconds * min(until, mine.pictures) / mine.pictures
        for other, person in self._people.items():
            if other == owner:
                continue
            if person.seconds is None:
                return None
            share = min(person.pictures, until - 1 + (person.rank < mine.rank)) / person.pictures
            total += person.seconds * share
        return total


def _seconds(groups: Sequence[Group], speeds: Speeds) -> float | None:
    total = 0.0
    for group in groups:
        one = speeds.row_seconds("image", group.model, group.work / group.count)
        if one is None:
            return None
        total += one * group.count
        if group.kind == "prompt":
            total += (speeds.get(PROMPT) or 0.0) * group.count
    models = {group.model for group in groups}
    return total + sum(speeds.load_seconds(model) for model in models if len(models) > 1)
