"""Ten thousand pictures in a real Chromium: all can be scrolled through, and only what is near is fetched and drawn."""

from __future__ import annotations

import io
import os
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Browser, expect

from lab.browser import DESK, SECONDS, visit
from lab.worker import Worker

MANY = 10_000
EACH_SECONDS = 2_000
INSERT = """
    INSERT INTO images (image_id, client, job_id, idx, relpath, mimetype, thumbnail_type, private, created_at,
        delivered_at, model, owner, room, prompt, words)
    VALUES (?, 'otterbot', '', 0, ?, 'image/png', 'image/jpeg', 0, ?,
        1, 'otter-mini', '@ann:here', '!room:here', ?, ?)"""

expect.set_options(timeout=SECONDS * 1000)


def fill(worker: Worker) -> None:
    """Rows, and for each a picture and a thumbnail, which are the same ones."""
    small, whole = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (64, 64), "tan").save(small, "JPEG")
    Image.new("RGB", (64, 64), "tan").save(whole, "PNG")
    archive = worker.data / "archive"
    (archive / "small").write_bytes(small.getvalue())
    (archive / "whole").write_bytes(whole.getvalue())
    rows, now = [], time.time()
    for number in range(MANY):
        at = now - number * EACH_SECONDS
        when = time.localtime(at)
        folder = archive / time.strftime("%Y-%m-%d", when)
        folder.mkdir(exist_ok=True)
        stem = f"otter_{time.strftime('%Y%m%d%H%M%S', when)}_{number % 10_000}"
        os.link(archive / "small", folder / f"{stem}.thumb.jpg")
        os.link(archive / "whole", folder / f"{stem}.png")
        words = f"otter number {number}"
        rows.append((f"{number:032x}", f"{folder.name}/{stem}.png", at, words, words))
    with sqlite3.connect(worker.database) as database:
        database.executemany(INSERT, rows)
    database.close()


@pytest.fixture(scope="module")
async def worker(folder: Path) -> AsyncIterator[Worker]:
    one = Worker(folder / "page-many", config={"archive": {"min_free_gb": 0, "max_gb": None}})
    await one.start()
    await one.stop()
    fill(one)
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


TO_THE_END = """async () => {
    const end = [...document.querySelectorAll("p[role=status]")].find((one) => one.closest("main"));
    while (end.textContent !== "That is all.") {
        scrollTo(0, document.documentElement.scrollHeight);
        await new Promise((done) => setTimeout(done, 100));
    }
}"""


async def test_one_scrolls_through_all_of_them(browser: Browser, worker: Worker) -> None:
    async with visit(browser, worker, **DESK) as one:
        page = one.page
        pages: list[str] = []
        page.on("request", lambda request: pages.append(request.url) if "/page/pictures?" in request.url else None)
        await one.sign_in("#/gallery")
        await expect(page.locator("a.tile").nth(99)).to_be_attached()
        await expect(page.locator("a.tile img").first).to_have_js_property("complete", True)
        assert len(pages) < 10, "what is far below is not asked for"
        # Thumbnails that one flies past are not what this is about: the browser is told not to fetch them meanwhile.
        browsing = await one.context.new_cdp_session(page)
        await browsing.send("Network.enable")
        await browsing.send("Network.setBlockedURLs", {"urls": ["*/thumbnail"]})
        await page.evaluate(TO_THE_END)
        await browsing.send("Network.setBlockedURLs", {"urls": []})
        one.complaints.clear()  # of what was blocked
        assert len(set(await page.evaluate("[...document.querySelectorAll('a.tile')].map((one) => one.hash)"))) == MANY
        assert len(pages) == MANY / 100
        first, last = page.locator("a.tile").first, page.locator("a.tile").last
        visible = "one => one.checkVisibility({contentVisibilityAuto: true})"
        assert not await first.evaluate(visible), "what is far above is not laid out"
        await last.focus()
        assert await last.evaluate(visible)
        await page.keyboard.press("Enter")
        assert await page.locator(".seen img").evaluate("one => one.decode().then(() => one.naturalWidth)") == 64
        await page.keyboard.press("Escape")
        await expect(last).to_be_focused()
        assert await page.locator("a.tile").count() == MANY, "the way back leads to where one was"
        assert await last.evaluate("one => one.getBoundingClientRect().top < innerHeight")
