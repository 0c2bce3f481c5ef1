"""From a message in a room to its picture in the room, without the drawing itself. Goal: median <= 0.25 s.

    scripts/setup --dev && PYTHONPATH=tests .venvs/test/bin/python benchmarks/room_latency.py [--pictures 20]

A real Synapse, Maubot, worker and an independent client, all on this machine. The clock runs from before the client
sends `!draw …` until its sync brings the picture's event; taken off is what the pipeline itself took (the worker's log
says it: text encoders, steps, decode). What remains is everything that Otterbot, Maubot, Synapse and the client add:
two syncs, the queue, PNG, thumbnail, archive with its fsyncs, encryption, two uploads, and the send. One picture at a
time, warm; plain and encrypted room in turn.
"""

from __future__ import annotations

import asyncio
import re
import time

from room_rounds import Once, measure

from lab import Lab

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


async def prepare(lab: Lab, rooms: dict[str, str]) -> Once:
    async def draw(kind: str, room: str) -> tuple[float, float]:
        total, pipeline = await once(lab, room)
        return total, total - pipeline

    return draw


if __name__ == "__main__":
    measure(
        prepare,
        description="Message to picture, minus the pipeline's own time.",
        rounds="--pictures",
        way="message → picture",
        ours="without the pipeline",
        goal=0.25,
        proxies=False,
    )
