"""What the queue takes and gives with many people in it: jobs accepted and rows claimed a second, by the worker's code.

    PYTHONPATH=worker python benchmarks/queue_rates.py [--people 2000] [--waiting 200 2000 10000] [--samples 200]
        [--lanes 20] [--folder FOLDER]

A database in a folder (give one on the disk that is meant), with as many rows waiting as asked, each person with one
after another. Then, again and again: a job of one picture is submitted; a lane chooses among all that waits, beside the
other lanes, and claims its row; the row goes back. Milliseconds are medians; those of the processor are this process'
own, in which other programs do not count. HTTP, and what a client is told of it, are in ``submit_latency.py``.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from otterbot_worker.queue.database import Database
from otterbot_worker.queue.schedule import Bounds, Choice, OnCard, Other, choose
from otterbot_worker.queue.store import Store
from otterbot_worker.queue.submission import Limits, Submission, new_rows
from otterbot_worker.runner.eta import Costs, Speeds
from otterbot_worker.schemas.resolved import ResolvedRequest

MODELS = tuple(f"model-{number}" for number in range(4))
BOUNDS = Bounds(picture=120.0, talk=40.0)
LIMITS = Limits(open_rows=10**9, open_rows_per_owner=10**9)
COSTS = Costs(Speeds())


def job(number: int, people: int) -> Submission:
    request = ResolvedRequest(
        model=MODELS[number % len(MODELS)], prompt="an otter with a cowboy hat " * 8, negative_prompt="ugly, blurry",
        steps=30, guidance_scale=7.0, width=768, height=768, sampler="UniPC", seed=number,
    )  # fmt: skip
    return Submission(
        client="otterbot", key=f"key-{number:08d}", body_hash="0" * 64, kind="image", owner=f"@{number % people}:here",
        room="!r:here", private=False, request=request, content=None, rows=new_rows(request),
    )  # fmt: skip


class Times:
    """Wall and processor seconds by name."""

    def __init__(self) -> None:
        self.wall: dict[str, list[float]] = {}
        self.processor: dict[str, list[float]] = {}

    async def of(self, name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        wall, processor = time.perf_counter(), time.process_time()
        found = await call()
        self.wall.setdefault(name, []).append(time.perf_counter() - wall)
        self.processor.setdefault(name, []).append(time.process_time() - processor)
        return found

    def median(self, name: str) -> str:
        return f"{statistics.median(self.wall[name]) * 1e3:.1f} ({statistics.median(self.processor[name]) * 1e3:.1f})"


async def choice(store: Store, lanes: int) -> Choice:
    """As a lane does it, beside the others."""
    other = Other(free_in=6.0, on_card=OnCard(image=MODELS[1]), costs=COSTS)
    found = choose(
        await store.heads(), on_card=OnCard(image=MODELS[0]), served=await store.served(), now=time.time(),
        bounds=BOUNDS, costs=COSTS, others=[other] * (lanes - 1),
    )  # fmt: skip
    assert found is not None
    return found


async def measure(asked: argparse.Namespace, folder: Path) -> None:
    print("| waiting | accepted: ms (of processor) | chosen | claimed | jobs a second | rows a second |")
    print("|---|---|---|---|---|---|")
    database = await Database.open(folder / "jobs.sqlite")
    store, number = Store(database), 0
    try:
        for waiting in sorted(asked.waiting):
            while number < waiting:
                await store.submit(job(number, asked.people), LIMITS, time.time())
                number += 1
            times = Times()
            for _ in range(asked.samples):
                await times.of("accepted", lambda one=number: store.submit(job(one, asked.people), LIMITS, time.time()))
                number += 1
                picked = await times.of("chosen", lambda: choice(store, asked.lanes))
                row = await times.of(
                    "claimed",
                    lambda one=picked: store.claim(one.seq, one.overtaken, time.time(), seconds=one.seconds),
                )
                await store.give_back(row)
            accepted, chosen, claimed = (
                statistics.median(times.wall[name]) for name in ("accepted", "chosen", "claimed")
            )
            print(
                f"| {waiting:,} | {times.median('accepted')} | {times.median('chosen')} | {times.median('claimed')} "
                f"| {1 / accepted:.0f} | {1 / (chosen + claimed):.0f} |",
                flush=True,
            )
    finally:
        await database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("people", 2_000), ("samples", 200), ("lanes", 20)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--waiting", type=int, nargs="+", default=[200, 2_000, 10_000])
    parser.add_argument("--folder", type=Path, default=None)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        asyncio.run(measure(asked, Path(folder)))


if __name__ == "__main__":
    main()
