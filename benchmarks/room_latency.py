"""From a message in a room to its picture in the room, without the drawing itself. Goal: median <= 0.25 s.

    scripts/setup --dev && PYTHONPATH=tests .venvs/test/bin/python benchmarks/room_latency.py [--pictures 20]

A real Synapse, Maubot, worker and an independent client, all on this machine. The clock runs from before the client
sends `!draw …` until its sync brings the picture's event; taken off is what the pipeline itself took (the worker's log
says it: text encoders, steps, decode). What remains is everything that Otterbot, Maubot, Synapse and the client add:
two syncs, the queue, PNG, thumbnail, archive with its fsyncs, encryption, two uploads, and the send. One picture at a
time, warm; plain and encrypted room in turn.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from lab import Lab
from lab.places import memory_folder

PIPELINE = re.compile(r"picture drawn .*pipeline=([0-9.]+)")
LINE = "!draw otter, cowboy hat --steps 4"


async def once(lab: Lab, room: str) -> tuple[float, float]:
    """Seconds of one picture: everything, and the pipeline's part of it."""
    drawn = len(PIPELINE.findall(lab.worker.proc.log_text()))
    started = time.monotonic()
    (picture,) = await lab.draw(room, LINE)
    found: list[str] = []
    while len(found) <= drawn:
        found = PIPELINE.findall(lab.worker.proc.log_text())
        await asyncio.sleep(0.05)
    return picture.seen - started, float(found[-1])


async def measure(folder: Path, pictures: int) -> None:
    async with Lab(folder / "lab", proxies=False) as lab:
        rooms = {"plain": await lab.room(), "encrypted": await lab.room(encrypted=True)}
        extra: dict[str, list[float]] = {kind: [] for kind in rooms}
        whole: dict[str, list[float]] = {kind: [] for kind in rooms}
        for number in range(pictures + 2):
            for kind, room in rooms.items():
                total, pipeline = await once(lab, room)
                if number >= 2:  # the first ones load the model and share room keys
                    whole[kind].append(total)
                    extra[kind].append(total - pipeline)
    for kind in rooms:
        spread = statistics.quantiles(extra[kind], n=10)
        print(
            f"{kind:9} message → picture {statistics.median(whole[kind]):.3f} s, without the pipeline "
            f"{statistics.median(extra[kind]):.3f} s (10 % {spread[0]:.3f}, 90 % {spread[8]:.3f}), "
            f"n = {len(extra[kind])}"
        )
    together = statistics.median([*extra["plain"], *extra["encrypted"]])
    print(f"median of both {together:.3f} s; goal 0.25 s: {'reached' if together <= 0.25 else 'missed'}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Message to picture, minus the pipeline's own time.")
    parser.add_argument("--pictures", type=int, default=20, help="for each kind of room (at least 2)")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="otterbot-latency-", dir=memory_folder()))
    try:
        asyncio.run(measure(folder, max(2, options.pictures)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
