"""Maubot's administrator changes the client while the bot runs; the bot goes on hearing."""

from __future__ import annotations

import asyncio
import time

import pytest

from lab import Lab

WARNING = "sync: false"


async def status_until(lab: Lab, room: str, *, warned: bool) -> None:
    """``!status`` says, or no longer says, that Maubot syncs."""
    end = time.monotonic() + 60
    while (WARNING in (await lab.answer(room, "!status all")).body) != warned:
        assert time.monotonic() < end, f"!status {'says nothing' if warned else 'still speaks'} of {WARNING}"
        await asyncio.sleep(0.3)


@pytest.fixture
async def encrypted() -> bool:
    return True


async def test_sync_switched_off_while_running(lab: Lab, room: str) -> None:
    """As ``!status`` advises."""
    client = f"/client/{lab.bot}"
    await lab.maubot.api("PUT", client, {"sync": True})
    try:
        await status_until(lab, room, warned=True)
    finally:
        await lab.maubot.api("PUT", client, {"sync": False})
    await lab.answer(room, "!help")
    await status_until(lab, room, warned=False)


async def test_cleared_cache_while_running(lab: Lab, room: str) -> None:
    """Maubot's "clear cache" ends a sync that it did not start."""
    await lab.maubot.api("POST", f"/client/{lab.bot}/clearcache")
    await lab.answer(room, "!help")
