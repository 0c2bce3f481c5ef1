"""What a fault is: a name, and a function that does its harm and undoes it before it returns.

They stand in ``programs`` and ``around``, which are imported for it. ``lane`` says what a fault needs for itself: two
of one lane never come at the same time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from lab import Lab


@dataclass
class Place:
    """A room of the campaign; an upgrade puts another one in its place."""

    id: str
    encrypted: bool
    earlier: list[str] = field(default_factory=list)
    """The rooms that it was."""
    deaf: bool = False
    """The bot is out of it or may not speak: what is typed now is not counted."""

    @property
    def ids(self) -> list[str]:
        return [*self.earlier, self.id]


@dataclass
class Scene:
    """What a fault may touch."""

    lab: Lab
    places: list[Place]
    folder: Path
    dice: random.Random
    backups: dict[str, Path] = field(default_factory=dict)

    async def rest(self, least: float, most: float) -> None:
        await asyncio.sleep(self.dice.uniform(least, most))


@dataclass(frozen=True)
class Kind:
    """One kind of fault. ``excuses``: words of a sentence that may stand for a picture because of it."""

    name: str
    lane: str
    run: Callable[[Scene], Awaitable[None]]
    weight: int = 2
    excuses: tuple[str, ...] = ()
    disks: bool = False


KINDS: dict[str, Kind] = {}


def kind(name: str, lane: str, **how: object) -> Callable[[Callable[[Scene], Awaitable[None]]], None]:
    def register(run: Callable[[Scene], Awaitable[None]]) -> None:
        KINDS[name] = Kind(name, lane, run, **how)  # type: ignore[arg-type]

    return register
