"""How long a submission takes when 10,000 jobs wait. Goal: p99 < 20 ms.

    PYTHONPATH=worker python benchmarks/submit_latency.py [--queued 10000] [--owners 200] [--samples 1000]

A real worker process, paused so that the queue stays as long as it is; real HTTP from this one. Each submission is
synced to the disk before it is answered; one fsync on this disk is shown apart.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

import aiohttp
from paused_queue import address, serving, submit


def show(name: str, times: list[float]) -> None:
    cuts = statistics.quantiles(times, n=100)
    print(
        f"{name:<28} median {statistics.median(times) * 1e3:6.2f}  p95 {cuts[94] * 1e3:6.2f}  "
        f"p99 {cuts[98] * 1e3:6.2f}  worst {max(times) * 1e3:6.2f} ms"
    )


def fsync_times(folder: Path) -> list[float]:
    times = []
    with (folder / "probe").open("wb", buffering=0) as file:
        for _ in range(200):
            file.write(b"x" * 4096)
            started = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - started)
    return times


async def measure(asked: argparse.Namespace, folder: Path) -> None:
    async with serving(folder, OTTERBOT_CHAT__OLLAMA_URL="null", OTTERBOT_LOG__LEVEL="warning"):
        await run(asked, folder)


async def run(asked: argparse.Namespace, folder: Path) -> None:
    url, headers = await address(folder)
    async with aiohttp.ClientSession(headers=headers) as session:
        (await session.post(f"{url}/v1/pause")).release()
        first = [await submit(session, url, number, asked.owners) for number in range(asked.samples)]
        for start in range(asked.samples, asked.queued, 32):
            numbers = range(start, min(start + 32, asked.queued))
            await asyncio.gather(*(submit(session, url, number, asked.owners) for number in numbers))
        numbers = range(asked.queued, asked.queued + asked.samples)
        full = [await submit(session, url, number, asked.owners) for number in numbers]
    show(f"fsync of 4 KiB ({folder.parent})", fsync_times(folder))
    show(f"submit, 0 to {asked.samples} waiting", first)
    show(f"submit, {asked.queued}+ waiting", full)
    print("goal: p99 < 20 ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queued", type=int, default=10_000)
    parser.add_argument("--owners", type=int, default=200)
    parser.add_argument("--samples", type=int, default=1_000)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(parser.parse_args(), Path(folder)))


if __name__ == "__main__":
    main()
