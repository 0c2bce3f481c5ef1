"""A worker with its page, and a browser's manners without a browser: cookies, and the headers that one sends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from core_lab import TOKEN, Here, worker_here

from otterbot_worker.config import Config
from otterbot_worker.page import mount

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin", "Otterbot-Page": "1"}


class Browser:
    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self.session = session
        self.address = address

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str | None] | None = None, **options: Any
    ) -> tuple[int, Any]:
        """As the page's own scripts ask; ``headers``: others, or ``None`` for without one."""
        status, _, answer = await self.whole(method, path, body, headers=headers, **options)
        return status, answer

    async def whole(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str | None] | None = None, **options: Any
    ) -> tuple[int, Any, Any]:
        sent: dict[str, str | None] = {**SAME_ORIGIN, "Origin": self.address, **(headers or {})}
        kept = {name: value for name, value in sent.items() if value is not None}
        async with self.session.request(method, self.address + path, json=body, headers=kept, **options) as response:
            data = await response.read()
            answer = json.loads(data) if data and "json" in response.content_type else data
            return response.status, response.headers, answer

    async def sign_in(self, token: str = TOKEN) -> tuple[int, Any]:
        return await self.call("POST", "/page/session", {"token": token})


@asynccontextmanager
async def browser(address: str) -> AsyncIterator[Browser]:
    """Nobody is signed in."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield Browser(session, address)


@asynccontextmanager
async def page_here(config: Config, *, paused: bool = True) -> AsyncIterator[tuple[Here, Browser]]:
    """Signed in."""
    shown = mount.mount(config)
    assert shown is not None
    async with worker_here(config, paused=paused, mounts=[shown]) as here, browser(here.api.address) as one:
        status, answer = await one.sign_in()
        assert status == 200, answer
        yield here, one
