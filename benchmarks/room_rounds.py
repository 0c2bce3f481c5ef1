"""What benchmarks of the way through a room share: a real lab, a plain and an encrypted room in turn, one at a time."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from lab import Lab
from lab.places import memory_folder

WARM = 2
"""Rounds that do not count: the first ones load the model and share room keys."""

Once = Callable[[str, str], Awaitable[tuple[float, float]]]
"""Kind and id of a room → seconds of one round: of everything, and of what is ours in it."""
Prepare = Callable[[Lab, dict[str, str]], Awaitable[Once]]


async def _rounds(folder: Path, prepare: Prepare, rounds: int, **lab: Any) -> dict[str, list[tuple[float, float]]]:
    async with Lab(folder / "lab", **lab) as running:
        rooms = {"plain": await running.room(), "encrypted": await running.room(encrypted=True)}
        once = await prepare(running, rooms)
        found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in rooms}
        for number in range(rounds + WARM):
            for kind, room in rooms.items():
                seconds = await once(kind, room)
                if number >= WARM:
                    found[kind].append(seconds)
    return found


def measure(prepare: Prepare, *, description: str, rounds: str, way: str, ours: str, goal: float, **lab: Any) -> None:
    """Runs the benchmark and prints what came out. ``rounds``: the flag for how many; ``way`` and ``ours``: what both
    times are, in words; ``goal``: seconds of the second; ``lab``: as of `Lab`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(rounds, dest="rounds", type=int, default=20, help="for each kind of room (at least 2)")
    count = max(2, parser.parse_args().rounds)
    folder = Path(tempfile.mkdtemp(prefix="otterbot-rounds-", dir=memory_folder()))
    try:
        found = asyncio.run(_rounds(folder, prepare, count, **lab))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for kind, times in found.items():
        own = [one for _, one in times]
        spread = statistics.quantiles(own, n=10)
        print(
            f"{kind:9} {way} {statistics.median(whole for whole, _ in times):.3f} s, {ours} "
            f"{statistics.median(own):.3f} s (10 % {spread[0]:.3f}, 90 % {spread[8]:.3f}), n = {len(own)}"
        )
    together = statistics.median(one for times in found.values() for _, one in times)
    print(f"median of both {together:.3f} s; goal {goal} s: {'reached' if together <= goal else 'missed'}")
