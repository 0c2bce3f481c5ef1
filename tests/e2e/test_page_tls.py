"""The page over TLS in a real Chromium: of the worker itself, and of a proxy before it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from lab.browser import SECONDS, Visit, visit
from lab.proc import free_port
from lab.tls import NAME, Certificate, certificate, ending_tls
from lab.worker import Worker

COOKIE = "__Host-otterbot"
GUARDED = {"name": COOKIE, "domain": NAME, "path": "/", "secure": True, "httpOnly": True, "sameSite": "Strict"}

expect.set_options(timeout=SECONDS * 1000)


@pytest.fixture(scope="module")
def own(folder: Path) -> Certificate:
    return certificate(folder / "page-tls")


@pytest.fixture(scope="module")
async def worker(folder: Path, own: Certificate) -> AsyncIterator[Worker]:
    """With TLS of its own."""
    api = {"tls_cert": str(own.cert), "tls_key": str(own.key), "page_hosts": [NAME]}
    one = Worker(folder / "page-tls" / "own", config={"api": api})
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


@asynccontextmanager
async def in_clear(port: int) -> AsyncIterator[list[str]]:
    """Another server of this machine, without TLS. What cookies browsers send it, a line for each request."""
    sent: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
        sent.append(next((line.partition(":")[2].strip() for line in head if line.lower().startswith("cookie:")), ""))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", port):
        yield sent


async def cookies(one: Visit) -> list[dict[str, Any]]:
    """Without what they hold, and until when."""
    found = json.loads(json.dumps(await one.context.cookies()))
    return [{name: value for name, value in cookie.items() if name in GUARDED} for cookie in found]


async def test_its_cookie_is_for_tls_and_for_no_script(browser: Browser, worker: Worker) -> None:
    address = worker.url.replace("127.0.0.1", NAME)
    assert address.startswith(f"https://{NAME}:")
    async with visit(browser, worker, address, ignore_https_errors=True) as one:
        await one.sign_in()
        assert await cookies(one) == [GUARDED]
        assert await one.page.evaluate("document.cookie") == "", "no script sees it"
        await one.page.reload()
        await expect(one.page.get_by_role("navigation")).to_be_visible()
        await one.page.get_by_role("button", name="Sign out").click()
        await expect(one.page.get_by_label("The worker's token")).to_be_focused()
        assert await cookies(one) == []


async def test_its_cookie_never_travels_in_clear(browser: Browser, worker: Worker) -> None:
    """To a browser another port of a machine is the same place: without ``Secure`` the cookie would go there, too."""
    port = free_port()
    async with (
        visit(browser, worker, worker.url.replace("127.0.0.1", NAME), ignore_https_errors=True) as one,
        in_clear(port) as sent,
    ):
        await one.sign_in()
        unguarded = {**GUARDED, "name": "unguarded", "value": "1", "secure": False}
        await one.context.add_cookies([unguarded])  # type: ignore[list-item]
        other = await one.context.new_page()
        for path in ("/", "/page/now"):
            await other.goto(f"http://{NAME}:{port}{path}")
        assert set(sent) == {"unguarded=1"}
        await one.page.reload()
        await expect(one.page.get_by_role("navigation")).to_be_visible()
        one.elsewhere.clear()


async def test_behind_a_proxy_that_ends_tls(browser: Browser, folder: Path, own: Certificate) -> None:
    """The worker itself speaks HTTP there; ``api.public_url`` says how it is called, and links begin with that."""
    place = folder / "page-tls" / "behind"
    one = Worker(place, config={"api": {"compat": ["openai"]}, "archive": {"min_free_gb": 0}})
    await one.start()
    async with ending_tls(own, one.url) as port:
        address = f"https://{NAME}:{port}"
        one.config["api"] |= {"public_url": f"{address}/", "port": int(one.url.rpartition(":")[2])}
        try:
            await one.restart()
            async with visit(browser, one, address, ignore_https_errors=True) as seen:
                await seen.sign_in()
                assert await cookies(seen) == [GUARDED]
                asked = {"prompt": "otter", "size": "96x96", "steps": 2, "response_format": "url"}
                answer = await one.api("POST", "/openai/v1/images/generations", asked)
                link = answer["data"][0]["url"]
                assert link.startswith(f"{address}/openai/v1/links/")
                picture = await seen.context.new_page()
                shown = await picture.goto(link)
                assert shown is not None
                assert (await shown.body()).startswith(b"\x89PNG")
        finally:
            await one.stop()
