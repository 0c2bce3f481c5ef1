"""Free disk space: one answer for accepting requests, drawing, status and doctor."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

GIGABYTE = 1_000_000_000
QUEUE_BYTES = 100_000_000
"""Space that the queue's database needs where it is on another disk than the pictures."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder that needs free space. ``what``: its content in words; ``floor``: bytes."""

    what: str
    path: Path
    floor: int


@dataclass(frozen=True, kw_only=True)
class Room:
    """Free space of a place; ``problem`` is a sentence."""

    place: Place
    free: int
    """Bytes; 0 where unknown."""
    problem: str | None


def places(archive_dir: Path, data_dir: Path, min_free_gb: float) -> tuple[Place, ...]:
    floor = int(min_free_gb * GIGABYTE)
    return (
        Place(what="the pictures", path=archive_dir, floor=floor),
        Place(what="the queue", path=data_dir, floor=min(floor, QUEUE_BYTES)),
    )


def look(place: Place) -> Room:
    """Measure a place. For a missing folder the nearest existing parent counts."""
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
