"""A real Chromium at the worker's page: what it asks for and complains of is noted."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from . import places
from .tls import NAME
from .worker import Worker

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
SECONDS = 60.0
"""For each step: the machine may be busy with other tests."""
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """To which `NAME` is this machine."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert program is not None, "there is no Chromium: apt install chromium"
    # As root it has no sandbox of its own, and what it opens here is ours.
    arguments = [f"--host-resolver-rules=MAP {NAME} 127.0.0.1", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


class Visit:
    """One person at the page, in a window of their own."""

    def __init__(self, context: BrowserContext, page: Page, worker: Worker, address: str) -> None:
        self.context, self.page, self.worker, self.address = context, page, worker, address
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("request", lambda request: self._asked(request.url))

    def _asked(self, url: str) -> None:
        if not url.startswith((f"{self.address}/", "blob:", "data:")):
            self.elsewhere.append(url)

    async def sign_in(self, view: str = "") -> None:
        await self.page.goto(f"{self.address}/{view}")
        await self.page.get_by_label("The worker's token").fill(self.worker.token)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.get_by_role("navigation").wait_for()

    async def go(self, view: str) -> None:
        """``view``: as it stands in the address, behind ``#/``."""
        await self.page.evaluate("view => { location.hash = `#/${view}`; }", view)

    async def wide(self) -> int:
        """Pixels that the content is wider than the window."""
        found = await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return int(found)

    async def axe(self) -> list[str]:
        """What axe-core finds wrong, a line each."""
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(axe_core())
        found = await self.page.evaluate("tags => axe.run(document, {runOnly: tags})", AXE_TAGS)
        return [
            f"{one['impact']}: {one['id']} at {[node['target'] for node in one['nodes']][:5]}"
            for one in found["violations"]
        ]


@asynccontextmanager
async def visit(browser: Browser, worker: Worker, address: str = "", **options: Any) -> AsyncIterator[Visit]:
    """``address``: by which the browser calls the worker, if not by its own. ``options``: of the window, as ``PHONE``.
    At the end nothing was complained of, and nobody else asked."""
    context = await browser.new_context(**(options or DESK))
    context.set_default_timeout(SECONDS * 1000)
    try:
        one = Visit(context, await context.new_page(), worker, address or worker.url)
        yield one
        assert one.complaints == []
        assert one.elsewhere == []
    finally:
        await context.close()


def axe_core() -> str:
    path = Path(places.python("test")).parents[1] / "axe.min.js"
    assert path.exists(), "there is no axe-core: scripts/setup --dev test fetches it, with npm"
    return path.read_text("utf-8")
