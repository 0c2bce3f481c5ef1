"""Prepares results before it is their turn: fetches and uploads them, and builds their contents."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ..errors import (
    AnswerLost,
    CannotEncrypt,
    NotAllowed,
    RateLimited,
    TooLarge,
    UploadRefused,
    WorkerError,
    WorkerForeign,
    WorkerRefused,
)
from ..matrix import event_content
from ..store.rows import Part
from ..waiting import news
from .entries import Entry
from .queue import Outbox
from .results import Results

Builder = Callable[[Part], Awaitable[dict[str, Any]]]
"""Makes the content of a stored part that has none. Raises the errors of :mod:`..errors`."""

AT_A_TIME = 2
"""Results that are fetched and uploaded at the same time."""
UPLOAD_PATIENCE = 900.0
"""Seconds of refused uploads before the room is told."""


class Builds:
    """Builds the contents of entries without one, each in a task of its own."""

    def __init__(self, outbox: Outbox, results: Results, builders: Mapping[str, Builder], log: logging.Logger) -> None:
        """``builders``: family of parts (``picture``, ``chat``) → builder."""
        self._outbox = outbox
        self._results = results
        self._builders = builders
        self._log = log
        self._slots = asyncio.Semaphore(AT_A_TIME)
        self._beside = asyncio.Semaphore(1)
        """For previews: no result waits for one."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Runs as one task; stopped by :meth:`stop`."""
        while True:
            entry = await self._outbox.unbuilt.get()
            if self._outbox.holds(entry) and entry.content is None and not entry.being_built:
                self._begin(entry)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, entry: Entry) -> None:
        task = entry.build = asyncio.create_task(self._build(entry), name=f"otterbot build {entry.part.part}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _build(self, entry: Entry) -> None:
        part = entry.part
        builder = self._builders.get(part.part.family)
        if builder is None:
            await self._results.failed(entry, "missing")
            return
        try:
            async with self._beside if part.part.is_preview else self._slots:
                content = event_content.fit(await builder(part))
            entry.content, entry.plain_media, entry.tries = content, "url" in content, 0
            entry.limited_since = None
        except WorkerRefused as refusal:
            if refusal.not_found:
                await self._results.missing(part)
            else:
                await self._results.failed(entry, "refused")
        except RateLimited as limit:
            await self._limited(entry, limit)
        except (WorkerError, AnswerLost) as error:
            if isinstance(error, WorkerForeign) and not entry.tries:
                self._log.warning("What came from worker.url in place of a result is none: %s", error)
            await self._later(entry, entry.backoff())
        except CannotEncrypt:
            await self._results.cannot_encrypt(entry)
        except TooLarge:
            await self._results.failed(entry, "too_large")
        except UploadRefused as refusal:
            self._log.warning("The homeserver takes no upload: %s", refusal)
            await self._results.failed(entry, "upload_refused")
        except NotAllowed:
            await self._results.forbidden(entry)
        except Exception as error:
            self._log.error("Cannot build %s: %s", part.part, type(error).__name__)
            await self._later(entry, entry.backoff())
        self._outbox.news.set()

    async def _limited(self, entry: Entry, limit: RateLimited) -> None:
        """Wait for the homeserver's upload limit, but not for ever."""
        if entry.limited_since is None:
            entry.limited_since = time.monotonic()
        if time.monotonic() - entry.limited_since + limit.retry_after > UPLOAD_PATIENCE:
            self._log.warning("The homeserver's limit for uploads lasts too long")
            await self._results.failed(entry, "upload_refused")
        else:
            await asyncio.sleep(limit.retry_after)  # do not wake early: the homeserver has named the time
            if self._outbox.holds(entry):
                self._begin(entry)

    async def _later(self, entry: Entry, wait: float) -> None:
        await news(self._outbox.retry, wait)
        if self._outbox.holds(entry):
            self._begin(entry)
