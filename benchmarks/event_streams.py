"""What open event streams cost the worker's API process: memory for each, and the answer to a submission beside them.

    PYTHONPATH=worker python benchmarks/event_streams.py [--streams 50] [--queued 300] [--beside 20]

A real worker process, paused, with jobs that wait. Memory is the process's own (``Private_Dirty``), before and after
the streams were opened and have read their snapshot. Then as many submissions as ``--beside`` come at once, again and
again, with the streams open and, for comparison, without them, in the same run: each changes the queue, and each stream
hears of it. Goals: at most 30 MiB for 50 streams; p99 under 200 ms with 20 at once.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
from paused_queue import address, serving, submit

OWNERS = 50
MIB = 2**20


def private_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_Dirty:"))


class Numbers:
    """Submissions that were never made before."""

    def __init__(self) -> None:
        self.next = 0

    def take(self, count: int) -> range:
        self.next += count
        return range(self.next - count, self.next)


async def at_once(session: aiohttp.ClientSession, url: str, numbers: Numbers, beside: int, rounds: int) -> list[float]:
    times: list[float] = []
    for _ in range(rounds):
        times += await asyncio.gather(*(submit(session, url, number, OWNERS) for number in numbers.take(beside)))
    return times


async def read(stream: aiohttp.ClientResponse, ready: asyncio.Semaphore) -> None:
    """All that comes; ``ready`` after the snapshot."""
    assert stream.status == 200, stream.status
    seen = False
    async for chunk in stream.content.iter_any():
        if not seen and b"snapshot" in chunk:
            seen = True
            ready.release()


async def run(asked: argparse.Namespace, folder: Path, pid: int) -> None:
    url, headers = await address(folder)
    numbers, ready = Numbers(), asyncio.Semaphore(0)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))
        listening = await stack.enter_async_context(
            aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0))
        )
        (await session.post(f"{url}/v1/pause")).release()
        await at_once(session, url, numbers, 20, asked.queued // 20)
        alone = await at_once(session, url, numbers, asked.beside, asked.rounds)
        await asyncio.sleep(3)
        before = private_bytes(pid)
        readers = []
        for _ in range(asked.streams):
            stream = await stack.enter_async_context(listening.get(f"{url}/v1/events"))
            readers.append(asyncio.create_task(read(stream, ready)))
        for _ in range(asked.streams):
            await ready.acquire()
        await asyncio.sleep(3)
        opened = private_bytes(pid)
        beside = await at_once(session, url, numbers, asked.beside, asked.rounds)
        await asyncio.sleep(3)
        after = private_bytes(pid)
        for reader in readers:
            reader.cancel()
    print(f"{asked.streams} streams, {asked.queued}+ jobs wait")
    open_mib, used_mib = (opened - before) / MIB, (after - before) / MIB
    print(f"memory: {before / MIB:.1f} MiB before, +{open_mib:.1f} open, +{used_mib:.1f} after use")
    for name, times in (("without streams", alone), ("beside them", beside)):
        cuts = statistics.quantiles(times, n=100)
        print(f"{asked.beside} at once, {name:<16} median {cuts[49] * 1e3:6.1f}  p99 {cuts[98] * 1e3:6.1f} ms")


async def measure(asked: argparse.Namespace, folder: Path) -> None:
    settings = {"OTTERBOT_CHAT__BACKEND": "off", "OTTERBOT_API__MAX_STREAMS": "1000", "OTTERBOT_LOG__LEVEL": "error"}
    async with serving(folder, **settings) as pid:
        await run(asked, folder, pid)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--queued", type=int, default=300)
    parser.add_argument("--beside", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=25)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(parser.parse_args(), Path(folder)))


if __name__ == "__main__":
    main()
