"""The last hours of each card: how much of its memory was used, and what was swapped on it. In this process's memory
alone, so a restart begins anew."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from aiohttp import web

from ..api.parts import Parts
from ..gpu import driver
from ..runner.lanes import CardParts

HOURS = 6
EVERY = 20.0
"""Seconds between two looks at the memory."""
LOOK_SECONDS = 1.0
"""Between two looks at what is on the card, which cost nothing."""
MOST_SWAPS = 500

What = Literal["card", "computer"]


@dataclass(frozen=True, slots=True)
class Point:
    """``at``: Unix time; bytes. ``model``: of ``used``, what the image model has, where that is known."""

    at: float
    used: int
    total: int
    model: int


@dataclass(frozen=True, kw_only=True)
class Swap:
    """From ``at`` on, Unix time, ``now`` was on the card, and not ``before``; names for people, empty: nothing."""

    at: float
    before: str
    now: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the figures of a card come from."""

    card: str
    """As the settings name it."""
    memory: Callable[[], tuple[What, int, int] | None]
    """What memory it is, how much of it is used, and how much there is."""
    held: Callable[[], int]
    occupant: Callable[[], str]

    @classmethod
    def of(cls, lane: CardParts) -> Source:
        def memory() -> tuple[What, int, int] | None:
            if lane.gpu.remote:
                known = lane.gpu.info
                if known.total_bytes is None or known.free_bytes is None:
                    return None
                return "card", known.total_bytes - known.free_bytes, known.total_bytes
            seen = driver.look(lane.gpu.device)
            return _computer() if seen is None else ("card", seen.total - seen.free, seen.total)

        def occupant() -> str:
            image = lane.gpu.info.resident
            words = lane.card.holder in ("chat", "both")
            return " + ".join([*([image] if image else []), *(["a language model"] if words else [])])

        return cls(card=lane.name, memory=memory, held=lambda: lane.gpu.info.held_bytes or 0, occupant=occupant)


def sources(parts: Parts) -> list[Source]:
    """Of every card."""
    return [Source.of(lane.parts) for lane in parts.dispatcher.lanes if lane.parts is not None]


class Track:
    """One card's."""

    def __init__(self) -> None:
        self.what: What = "computer"
        self.points: deque[Point] = deque(maxlen=int(HOURS * 3600 / EVERY))
        self.swaps: deque[Swap] = deque(maxlen=MOST_SWAPS)
        self._occupant: str | None = None

    def note(self, what: What, used: int, total: int, held: int, now: float) -> None:
        self.what = what
        self.points.append(Point(now, used, total, min(held, used)))

    def look(self, occupant: str, now: float) -> None:
        """What is on the card at ``now``."""
        if self._occupant not in (None, occupant):
            self.swaps.append(Swap(at=now, before=self._occupant or "", now=occupant))
        self._occupant = occupant

    def shown(self, since: float) -> dict[str, Any]:
        return {
            "what": self.what,
            "points": [[round(one.at), one.used, one.total, one.model] for one in self.points if one.at >= since],
            "swaps": [{"at": one.at, "before": one.before, "now": one.now} for one in self.swaps if one.at >= since],
        }


class History:
    def __init__(self) -> None:
        self.tracks: dict[str, Track] = {}

    async def follow(self, sources: Callable[[], Sequence[Source]]) -> None:
        """For ever. ``sources``: the cards that there are now."""
        noted = float("-inf")
        while True:
            now = sources()
            self.tracks = {source.card: self.tracks.get(source.card) or Track() for source in now}
            for source in now:
                self.tracks[source.card].look(source.occupant(), time.time())
            if time.monotonic() - noted >= EVERY:
                noted = time.monotonic()
                for source in now:
                    found = await asyncio.to_thread(source.memory)  # a driver that hangs holds up nothing
                    if found is not None:
                        self.tracks[source.card].note(*found, source.held(), time.time())
            await asyncio.sleep(LOOK_SECONDS)

    def shown(self, now: float) -> dict[str, Any]:
        since = now - HOURS * 3600
        cards = [{"name": name, **track.shown(since)} for name, track in self.tracks.items()]
        return {"since": since, "until": now, "cards": cards}


HISTORY = web.AppKey("history", History)


def _computer() -> tuple[What, int, int] | None:
    """Where there is no card, models lie in the computer's memory."""
    try:
        fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text("ascii").splitlines())
        total, free = (int(fields[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))
    except (OSError, ValueError, LookupError):
        return None
    return "computer", total - free, total
