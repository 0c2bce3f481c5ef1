"""Waiting for events with a time limit, and retrying."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
TRIES = 12
FIRST, LONGEST = 0.2, 10.0
"""Seconds between two tries."""
LASTING = (ValueError, TypeError, LookupError, AttributeError)
"""Errors that a retry would only repeat."""


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


async def surely(
    call: Callable[[], Awaitable[T]],
    log: logging.Logger,
    *,
    for_ever: bool = False,
    only: tuple[type[Exception], ...] = (Exception,),
    tries: int | None = None,
) -> T:
    """The database may be locked, the homeserver away: try again, for about a minute (or ``tries`` times, or
    ``for_ever``), if it is one of ``only``.

    Raises at once what would fail again in the same way, and in the end what failed last.
    """
    attempt = 0
    while True:
        try:
            return await call()
        except LASTING:
            raise
        except only as error:
            attempt += 1
            if attempt > (TRIES if tries is None else tries) and not for_ever:
                raise
            log.warning("Trying again: %s", type(error).__name__)
            asked_for = min(getattr(error, "retry_after", 0.0), LONGEST)
            await asyncio.sleep(max(asked_for, min(FIRST * 2 ** min(attempt - 1, 10), LONGEST)))
