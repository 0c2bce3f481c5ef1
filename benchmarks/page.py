"""The page with a large gallery: seconds of its first view, of a search, of its last pictures, and the worker's memory.

    PYTHONPATH=worker python benchmarks/page.py [--pictures 10000] [--runs 10]

Goals with 10,000 pictures: the first view takes at most 0.5 s of the server; the API process has less than 110 MiB with
the page open. The first view is what a browser asks for to show the gallery: the page, its files, the first 100
pictures, what to filter by, and 30 thumbnails. Processor time is the worker's own, so other programs do not count.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from PIL import Image

from otterbot_worker.queue.database import Database
from otterbot_worker.queue.gallery_rows import folded

WORKER = Path(__file__).resolve().parents[1] / "worker"
WORDS = [
    "otter", "fox", "bear", "owl", "heron", "hat", "scarf", "lantern", "boat", "river", "snow", "moss", "forest",
    "city", "night", "rain", "neon", "watercolor", "pencil", "oil", "portrait", "cyberpunk", "renaissance", "pixel",
    "soft", "light", "fog", "mountain", "tea", "book", "violin", "sleeping", "running", "smiling",
]  # fmt: skip
INSERT = """
    INSERT INTO images (image_id, client, job_id, idx, relpath, mimetype, thumbnail_type, private, created_at,
        delivered_at, model, owner, room, prompt, words)
    VALUES (?, 'otterbot', '', 0, ?, 'image/png', 'image/jpeg', 0, ?, 1, ?, ?, ?, ?, ?)"""
OPENED = 60
"""Times that an open page asks for what runs, before the memory is looked at."""
STATIC = ("style.css", "main.js", "ask.js", "dom.js", "gallery.js", "now.js", "picture.js", "read.js", "signin.js")
HEADERS = {"Otterbot-Page": "1", "Sec-Fetch-Site": "same-origin"}


async def fill(folder: Path, count: int) -> None:
    """A database with ``count`` pictures of the last two years, and a thumbnail for each."""
    chance = random.Random(7)
    database = await Database.open(folder / "jobs.sqlite")
    now, rows = time.time(), []
    small = folder / "small.jpg"
    Image.effect_noise((96, 96), 60).convert("RGB").save(small, quality=80)
    for number in range(count):
        at = now - number * 6_000
        day = time.strftime("%Y-%m-%d", time.localtime(at))
        stem = f"otter_{time.strftime('%Y%m%d%H%M%S', time.localtime(at))}"
        prompt = ", ".join(chance.choices(WORDS, k=24)) + f", number {number}"
        place = folder / "archive" / day
        place.mkdir(parents=True, exist_ok=True)
        os.link(small, place / f"{stem}.thumb.jpg")
        os.link(small, place / f"{stem}.png")
        rows.append(
            (f"{number:032x}", f"{day}/{stem}.png", at, chance.choice(("ssd-1b", "sdxl-turbo", "otter-mini")),
             f"@person{chance.randrange(12)}:here", f"!room{chance.randrange(8)}:here", prompt, folded(prompt))
        )  # fmt: skip
    async with database.transaction() as connection:
        await connection.executemany(INSERT, rows)
    await database.close()


@contextmanager
def worker(folder: Path) -> Iterator[tuple[int, str]]:
    """Its process and address."""
    environment = {
        **os.environ, "PYTHONPATH": str(WORKER), "OTTERBOT_DATA_DIR": str(folder), "OTTERBOT_API__PORT": "0",
        "OTTERBOT_CHAT__OLLAMA_URL": "null",
    }  # fmt: skip
    command = [sys.executable, "-m", "otterbot_worker.cli", "serve"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        while not (folder / "listen").exists():
            time.sleep(0.05)
        yield process.pid, (folder / "listen").read_text().strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def spent(pid: int) -> float:
    """Seconds of processor that it has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


async def get(session: aiohttp.ClientSession, path: str) -> Any:
    async with session.get(path, headers=HEADERS) as response:
        assert response.status == 200, (path, response.status)
        return await (response.json() if "json" in response.content_type else response.read())


async def first_view(session: aiohttp.ClientSession) -> None:
    await get(session, "/")
    await asyncio.gather(*(get(session, f"/page/static/{name}") for name in STATIC))
    await get(session, "/page/session")
    found, _ = await asyncio.gather(get(session, "/page/pictures"), get(session, "/page/filters"))
    small = [f"/page/pictures/{picture['id']}/thumbnail" for picture in found["pictures"][:30]]
    await asyncio.gather(*(get(session, path) for path in small))


async def measure(pid: int, session: aiohttp.ClientSession, name: str, runs: int, *paths: str) -> None:
    waited, used = [], []
    for _ in range(runs):
        started, before = time.perf_counter(), spent(pid)
        if paths:
            for path in paths:
                await get(session, path)
        else:
            await first_view(session)
        waited.append(time.perf_counter() - started)
        used.append(spent(pid) - before)
    middle, worst = statistics.median(waited), max(waited)
    print(
        f"{name:34} {1000 * middle:7.0f} ms, worst {1000 * worst:5.0f}; processor {1000 * statistics.mean(used):5.0f}"
    )


async def run(count: int, runs: int) -> None:
    with tempfile.TemporaryDirectory() as named:
        folder = Path(named)
        await fill(folder, count)
        with worker(folder) as (pid, address):
            await asyncio.sleep(2)
            closed = resident(pid)
            jar = aiohttp.CookieJar(unsafe=True)
            async with aiohttp.ClientSession(address, cookie_jar=jar) as session:
                token = (folder / "token").read_text().strip()
                headers = {**HEADERS, "Origin": address}
                async with session.post("/page/session", json={"token": token}, headers=headers) as answer:
                    assert answer.status == 200
                oldest = f"{time.time() - (count - 50) * 6_000},0"
                await measure(pid, session, f"first view, {count} pictures", runs)
                await measure(pid, session, "100 pictures", runs, "/page/pictures")
                await measure(pid, session, "the last ones", runs, f"/page/pictures?after={oldest}")
                await measure(pid, session, "what to filter by", runs, "/page/filters")
                await measure(pid, session, "a search that finds nothing", runs, "/page/pictures?words=zebra+otter")
                rare = "/page/pictures?owner=@person3:here&model=ssd-1b&words=violin"
                await measure(pid, session, "a search with filters", runs, rare)
                await measure(pid, session, "now", OPENED, "/page/now")
                await measure(pid, session, "memory and swaps", runs, "/page/memory")
                print(
                    f"memory of the API process: {closed:.1f} MiB at the start, {resident(pid):.1f} with the page open"
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=10)
    asked = parser.parse_args()
    asyncio.run(run(asked.pictures, asked.runs))


if __name__ == "__main__":
    main()
