"""Whether the disk has room for another picture: one answer for whoever takes requests, draws, shows the status, and
for the doctor."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

GIGABYTE = 1_000_000_000
QUEUE_BYTES = 100_000_000
"""What the queue's database may come to need, where it lies on another disk than the pictures."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder that has to have room. ``what`` lies in it, in words; ``floor`` in bytes."""

    what: str
    path: Path
    floor: int


@dataclass(frozen=True, kw_only=True)
class Room:
    """What a look at a place found; ``problem`` is a sentence."""

    place: Place
    free: int
    """In bytes; 0 where nobody can say."""
    problem: str | None


def places(archive_dir: Path, data_dir: Path, min_free_gb: float) -> tuple[Place, ...]:
    floor = int(min_free_gb * GIGABYTE)
    return (
        Place(what="the pictures", path=archive_dir, floor=floor),
        Place(what="the queue", path=data_dir, floor=min(floor, QUEUE_BYTES)),
    )


def look(place: Place) -> Room:
    """A folder that is still to be made has as much room as the one that it will be made in."""
    path = place.path
    while True:
        try:
            free = shutil.disk_usage(path).free
            break
        except FileNotFoundError:
            if path.parent == path:
                raise
            path = path.parent
        except OSError as error:
            why = os.strerror(error.errno or 0)
            problem = f"The disk with {place.what} cannot be looked at ({why}); pictures wait until it can."
            return Room(place=place, free=0, problem=problem)
    if free >= place.floor:
        return Room(place=place, free=free, problem=None)
    problem = (
        f"The disk with {place.what} is nearly full: {free / GIGABYTE:.1f} GB are free, and "
        f"{place.floor / GIGABYTE:.1f} GB have to stay so. Pictures wait until there is room."
    )
    return Room(place=place, free=free, problem=problem)


def problem(wanted: tuple[Place, ...]) -> str | None:
    """Why nothing can be drawn; ``None``: there is room."""
    return next((found.problem for found in map(look, wanted) if found.problem is not None), None)
