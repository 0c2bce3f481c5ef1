"""What stands in the rooms, against what was promised: counted, and blamed on the fault that was nearest."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lab import Ev, Lab
from lab.client import User
from lab.lab import key_of
from lab.timeline import timeline

from .kinds import KINDS, Place

LOST, DOUBLED, SILENT, IN_CLEAR, UNREADABLE, FALSE = "lost", "doubled", "silent", "in clear", "unreadable", "false"
COLUMNS = (LOST, DOUBLED, SILENT, IN_CLEAR, UNREADABLE, FALSE)
NOBODY = "(none)"
GOES_ON = ("status", "chat/0")
"""Parts that stand in a room and once more in the one that replaces it: what is not done goes on there."""


@dataclass
class Said:
    """A line that somebody has typed and the homeserver has taken. Times are ``time.monotonic()``."""

    room: str
    place: Place
    by: User
    event_id: str
    seeds: Sequence[int]
    """Of the pictures that it asks for; none: it asks for an answer."""
    at: float
    touched: bool = False
    """Edited, deleted or cancelled, or typed where the bot could not hear: fewer pictures are right, too."""


@dataclass
class Fault:
    kind: str
    began: float
    ended: float = 0.0


@dataclass
class Tally:
    """By kind of fault: how many there were, and how often what went wrong."""

    faults: Counter[str] = field(default_factory=Counter)
    wrong: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    lines: int = 0
    pictures: int = 0
    sentences: Counter[str] = field(default_factory=Counter)
    """What was said instead of a picture, for a reason."""
    notes: list[str] = field(default_factory=list)

    def blame(self, faults: Iterable[Fault], at: float, what: str, note: str) -> None:
        """On the fault under way at ``at``, else on the next one: the line was still open then."""
        near = [fault for fault in faults if fault.ended >= at]
        name = min(near, key=lambda fault: fault.began).kind if near else NOBODY
        self.wrong[name][what] += 1
        self.notes.append(f"{what} ({name}): {note}")

    def add(self, other: Tally) -> None:
        self.faults += other.faults
        for name, counts in other.wrong.items():
            self.wrong[name] += counts
        self.lines += other.lines
        self.pictures += other.pictures
        self.sentences += other.sentences
        self.notes += other.notes

    @property
    def clean(self) -> bool:
        return not any(counts.total() for counts in self.wrong.values())

    def table(self) -> str:
        rows = [f"{'fault':<18}{'count':>7}" + "".join(f"{column:>12}" for column in COLUMNS)]
        for name in [*KINDS, NOBODY]:
            if self.faults[name] or self.wrong[name].total():
                counts = "".join(f"{self.wrong[name][column]:>12}" for column in COLUMNS)
                rows.append(f"{name:<18}{self.faults[name]:>7}{counts}")
        total: Counter[str] = sum(self.wrong.values(), Counter[str]())
        rows.append(f"{'all':<18}{self.faults.total():>7}" + "".join(f"{total[column]:>12}" for column in COLUMNS))
        rows.append(f"{self.lines} lines, {self.pictures} pictures, {self.sentences.total()} sentences instead:")
        rows += [f"{number:>5} × {sentence}" for sentence, number in self.sentences.most_common()]
        return "\n".join(rows)


async def judge(lab: Lab, places: Sequence[Place], said: Sequence[Said], faults: Sequence[Fault]) -> Tally:
    """Everything must have ended."""
    tally = Tally(faults=Counter(fault.kind for fault in faults), lines=len(said))
    for place in places:
        ours: list[Ev] = []
        for room in place.ids:
            ours += [event for event in await timeline(lab.user, room) if event.sender == lab.bot]
        _repeated(tally, faults, ours, said)
        _readable(tally, faults, ours, place)
        for one in (one for one in said if one.place is place):
            _line(tally, faults, ours, one, lab.bot, _answered_with_another(ours, one, said, lab.bot))
    return tally


def _answered_with_another(ours: Sequence[Ev], one: Said, said: Sequence[Said], bot: str) -> bool:
    """Equal answers of a room are one. It was given after this was asked, to whoever asked the same."""
    asked_at = (time.time() - (time.monotonic() - one.at)) * 1000
    equal = {key_of(bot, other.room, other.event_id) for other in said if other.room == one.room and not other.seeds}
    answers = [event for event in ours if event.own.get("part") == "reply" and event.own.get("key") in equal]
    return not one.seeds and any(event.ts >= asked_at for event in answers)


def _repeated(tally: Tally, faults: Sequence[Fault], ours: Sequence[Ev], said: Sequence[Said]) -> None:
    parts = Counter(
        (e.own.get("key"), part := e.own.get("part"), e.room_id if part in GOES_ON else "")
        for e in ours
        if e.own and not e.edits
    )
    for part, count in parts.items():
        if count > 1:
            tally.blame(faults, 0.0, DOUBLED, f"{count} times {part}")


def _readable(tally: Tally, faults: Sequence[Fault], ours: Sequence[Ev], place: Place) -> None:
    for event in ours:
        if event.undecryptable:
            tally.blame(faults, 0.0, UNREADABLE, f"{event.event_id} in {event.room_id}")
        if place.encrypted and event.wire.get("type") == "m.room.message" and event.own.get("part") != "no-encryption":
            tally.blame(faults, 0.0, IN_CLEAR, f"{event.event_id} in {event.room_id}")


def _line(tally: Tally, faults: Sequence[Fault], ours: Sequence[Ev], one: Said, bot: str, covered: bool) -> None:
    key = key_of(bot, one.room, one.event_id)
    mine = [event for event in ours if event.own.get("key") == key and not event.edits]
    got = sorted(event.record["used"]["seed"] for event in mine if event.msgtype == "m.image")
    words = [event.body for event in mine if event.own.get("part") in ("final", "reply")]
    tally.pictures += len(got)
    where = f"{one.event_id} in {one.room}, key {key}: {got} of {list(one.seeds)}, and {words}"
    if one.touched:
        if not set(got) <= set(one.seeds):
            tally.blame(faults, one.at, FALSE, where)
    elif len(got) > len(one.seeds):
        tally.blame(faults, one.at, DOUBLED, where)
    elif got == sorted(one.seeds):
        if one.seeds and words:
            tally.blame(faults, one.at, FALSE, where)
        if not one.seeds and len(words) != 1 and not (covered and not words):
            tally.blame(faults, one.at, SILENT if not words else DOUBLED, where)
    elif not words:
        tally.blame(faults, one.at, LOST if mine else SILENT, where)
    elif not _excused(faults, one, words):
        tally.blame(faults, one.at, LOST, where)
    else:
        tally.sentences.update(words)


def _excused(faults: Sequence[Fault], one: Said, words: Sequence[str]) -> bool:
    """A sentence stands for a picture where something had happened that it speaks of."""
    excuses = {word for fault in faults if fault.ended >= one.at for word in KINDS[fault.kind].excuses}
    return all(any(excuse in text for excuse in excuses) for text in words)
