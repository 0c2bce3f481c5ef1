"""A real worker process whose queue may grow without limits, and submissions to it, for benchmarks of the queue."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

WORKER = Path(__file__).resolve().parents[1] / "worker"


@asynccontextmanager
async def serving(folder: Path, **environment: str) -> AsyncIterator[int]:
    """Its process id. ``environment``: settings that differ."""
    whole = {
        **os.environ,
        "PYTHONPATH": str(WORKER),
        "OTTERBOT_DATA_DIR": str(folder),
        "OTTERBOT_API__PORT": "0",
        "OTTERBOT_QUEUE__MAX_OPEN": "1000000",
        "OTTERBOT_QUEUE__MAX_OPEN_PER_OWNER": "1000000",
        **environment,
    }
    worker = await asyncio.create_subprocess_exec(sys.executable, "-m", "otterbot_worker.cli", "serve", env=whole)
    try:
        yield worker.pid
    finally:
        worker.send_signal(signal.SIGTERM)
        await worker.wait()


async def address(folder: Path) -> tuple[str, dict[str, str]]:
    """Where it listens, as soon as it does, and the headers of its client."""
    while not (folder / "listen").exists():  # noqa: ASYNC110  (another process writes it)
        await asyncio.sleep(0.05)
    token = (folder / "token").read_text().strip()
    return (folder / "listen").read_text().strip(), {"Authorization": f"Bearer {token}"}


async def submit(session: aiohttp.ClientSession, url: str, number: int, owners: int) -> float:
    """Seconds until the ``number``-th submission, of one of so many people, was answered."""
    request = {"prompt": "otter, cowboy hat", "seed": number}
    key, owner = f"benchmark-{number:08d}", f"@{number % owners}:here"
    body = {"key": key, "kind": "image", "owner": owner, "room": "!r:here", "request": request}
    started = time.perf_counter()
    async with session.post(f"{url}/v1/jobs", json=body) as response:
        await response.read()
        assert response.status == 202, response.status
    return time.perf_counter() - started
