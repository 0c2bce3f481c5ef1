"""Waiting for news, but not for ever."""

from __future__ import annotations

import asyncio


async def news(event: asyncio.Event, seconds: float | None) -> bool:
    """Wait until ``event`` is set, at most ``seconds`` (``None``: for ever); was it?

    Not ``asyncio.wait_for``: in Python 3.11 it swallows a cancellation that arrives together with
    the news, and a task that was to be stopped would go on.
    """
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
