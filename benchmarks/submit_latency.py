"""How long a submission takes when 10,000 jobs wait. Goal: p99 < 20 ms.

    PYTHONPATH=worker python benchmarks/submit_latency.py [--queued 10000] [--owners 200] [--samples 1000]

A real worker process, paused so that the queue stays as long as it is; real HTTP from this one. Each submission is
synced to the disk before it is answered; one fsync on this disk is shown apart.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

WORKER = Path(__file__).resolve().parents[1] / "worker"


def body(number: int, owners: int) -> dict[str, object]:
    request = {"prompt": "otter, cowboy hat", "seed": number}
    key = f"benchmark-{number:08d}"
    return {"key": key, "kind": "image", "owner": f"@{number % owners}:here", "room": "!r:here", "request": request}


async def submit(session: aiohttp.ClientSession, url: str, number: int, owners: int) -> float:
    started = time.perf_counter()
    async with session.post(f"{url}/v1/jobs", json=body(number, owners)) as response:
        await response.read()
        assert response.status == 202, response.status
    return time.perf_counter() - started


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
    environment = {
        **os.environ,
        "PYTHONPATH": str(WORKER),
        "OTTERBOT_DATA_DIR": str(folder),
        "OTTERBOT_API__PORT": "0",
        "OTTERBOT_CHAT__OLLAMA_URL": "null",
        "OTTERBOT_QUEUE__MAX_OPEN": "1000000",
        "OTTERBOT_QUEUE__MAX_OPEN_PER_OWNER": "1000000",
        "OTTERBOT_LOG__LEVEL": "warning",
    }
    worker = await asyncio.create_subprocess_exec(sys.executable, "-m", "otterbot_worker.cli", "serve", env=environment)
    try:
        await run(asked, folder)
    finally:
        worker.send_signal(signal.SIGTERM)
        await worker.wait()


async def run(asked: argparse.Namespace, folder: Path) -> None:
    while not (folder / "listen").exists():  # noqa: ASYNC110  (another process writes it)
        await asyncio.sleep(0.05)
    url = (folder / "listen").read_text().strip()
    headers = {"Authorization": f"Bearer {(folder / 'token').read_text().strip()}"}
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
