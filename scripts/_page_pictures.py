"""Draws some pictures with a worker of its own, lets others wait, and takes the pictures of the page for ``docs/``."""

from __future__ import annotations

import argparse
import asyncio
import io
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Browser, Page

from lab.browser import DESK, PHONE, Visit, chromium, visit
from lab.places import REPOSITORY
from lab.worker import Worker

DRAWN = (
    "otter, cowboy hat", "otter in the snow, watercolor", "fox, red scarf", "bear, glasses", "owl, top hat",
    "otter, pencil drawing", "otter at night, moon, stars", "cat in the snow", "dog at sunset, beach", "fox, forest",
    "otter, headphones", "otter, stained glass", "owl, pixel art", "otter, crown", "rabbit, blue scarf",
    "otter, renaissance portrait",
)  # fmt: skip
WAITING = ("otter, stained glass", "otter astronaut, stars", "heron at dawn", "otter, cyberpunk")
PEOPLE, ROOMS = ("@ann:example.org", "@bob:example.org"), ("!otters:example.org", "!studio:example.org")
LOADED = "() => [...document.images].every(one => one.hidden || (one.complete && one.naturalWidth > 0))"
COLOURS = 128
"""In the pictures' palette: they are screens of few colours, and lie in the repository."""


async def submit(worker: Worker, number: int, prompt: str, **more: Any) -> None:
    body = {"key": f"page-picture-{number:04d}", "kind": "image"}
    body |= {"owner": PEOPLE[number % 2], "room": ROOMS[number // 2 % 2]}
    await worker.api("POST", "/v1/jobs", {**body, "request": {"prompt": prompt, "seed": 100 + number, **more}})


async def draw(worker: Worker) -> None:
    for number, prompt in enumerate(DRAWN):
        await submit(worker, number, prompt, steps=14)
    while await worker.open_jobs():  # noqa: ASYNC110  (another process draws them)
        await asyncio.sleep(0.5)


async def take(page: Page, path: Path) -> None:
    # Not wait_for_function: it evaluates text within the page, which the page's policy forbids.
    while not await page.evaluate(LOADED):  # noqa: ASYNC110  nothing else tells
        await asyncio.sleep(0.1)
    data = io.BytesIO(await page.screenshot())
    with Image.open(data) as opened:
        opened.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size // 1000} kB")


async def now(one: Visit, out: Path) -> None:
    """With a picture half drawn and others behind it."""
    for number, prompt in enumerate(WAITING, len(DRAWN)):
        await submit(one.worker, number, prompt, steps=100, count=2, preview=True)
    await one.go("now")
    await one.worker.wait_step(25, timeout=120)
    await one.page.locator("main img").first.wait_for()
    await take(one.page, out / "page-now.png")
    for job in await one.worker.open_jobs():
        await one.worker.api("DELETE", f"/v1/jobs/{job['id']}")


async def pictures(browser: Browser, worker: Worker, out: Path) -> None:
    async with visit(browser, worker, **DESK, color_scheme="light") as one:
        await one.sign_in()
        await now(one, out)
        await one.go("gallery")
        await one.page.get_by_text("That is all.").wait_for()
        await take(one.page, out / "page-gallery.png")
    async with visit(browser, worker, **PHONE, color_scheme="dark") as one:
        await one.sign_in()
        await one.go("gallery?words=cowboy")
        await one.page.locator("a.tile").first.tap()
        await one.page.locator("pre.line").first.wait_for()
        await take(one.page, out / "page-phone.png")


async def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/page_pictures", description=__doc__)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs", help="a folder (default: docs/)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = {"gpu": {"device": "cpu"}, "images": {"downloads": False}, "archive": {"min_free_gb": 0}}
        worker = Worker(Path(folder) / "worker", config={**settings, "chat": {"backend": "off"}})
        await worker.start()
        try:
            await draw(worker)
            async with chromium() as browser:
                await pictures(browser, worker, asked.out)
        finally:
            await worker.stop()


if __name__ == "__main__":
    asyncio.run(main())
