"""Results on their way into the outbox: fetched, uploaded and described before it is their turn."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

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

Builder = Callable[[Part], Awaitable[dict[str, Any]]]
"""Makes the content of a stored part that has none. Raises the errors of :mod:`..errors`."""

AT_A_TIME = 2
"""How many results are fetched and uploaded at a time."""
UPLOAD_PATIENCE = 900.0
"""Seconds for which the homeserver may put an upload off before the room is told so."""
BACKOFF = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


@dataclass(eq=False)
class Entry:
    part: Part
    order: int
    stored: bool = True
    lookup: bool = False
    content: dict[str, Any] | None = None
    plain_media: bool = False
    build: asyncio.Task[None] | None = None
    not_before: float = 0.0
    tries: int = 0
    refusals: int = 0
    """How often the homeserver has forbidden it."""
    limited_since: float | None = None
    """``time.monotonic()`` of the first of the refusals "too many uploads" that have come one after another."""
    since: float = field(default_factory=time.monotonic)

    def backoff(self) -> float:
        """Seconds to wait after one more failure."""
        self.tries += 1
        return BACKOFF[min(self.tries, len(BACKOFF)) - 1]

    @property
    def sendable(self) -> bool:
        return self.lookup or self.content is not None


class Owner(Protocol):
    """What becomes of a build; implemented by the outbox."""

    def built(self, entry: Entry) -> None: ...
    def wants(self, entry: Entry) -> bool: ...
    async def fail(self, entry: Entry, reason: str) -> None: ...
    async def forbidden(self, entry: Entry) -> None: ...
    async def cannot_encrypt(self, entry: Entry) -> None: ...
    async def hook(self, name: str, *args: Any) -> None: ...


class Builds:
    """Makes the contents of entries that have none, each in a task of its own."""

    def __init__(self, owner: Owner, log: logging.Logger) -> None:
        self._owner = owner
        self._log = log
        self._slots = asyncio.Semaphore(AT_A_TIME)
        self._retry = asyncio.Event()
        self.builders: dict[str, Builder] = {}

    def begin(self, entry: Entry) -> None:
        entry.build = asyncio.create_task(self._build(entry), name=f"otterbot build {entry.part.part}")

    def hurry(self) -> None:
        """Whoever waits to try again tries now."""
        self._retry.set()
        self._retry = asyncio.Event()

    async def _build(self, entry: Entry) -> None:
        part = entry.part
        builder = self.builders.get(part.part.split("/")[0])
        if builder is None:
            await self._owner.fail(entry, "missing")
            return
        try:
            async with self._slots:
                content = event_content.fit(await builder(part))
            entry.content, entry.plain_media, entry.tries = content, "url" in content, 0
            entry.limited_since = None
        except WorkerRefused as refusal:
            if refusal.not_found:
                await self._owner.hook("missing", part)
            else:
                await self._owner.fail(entry, "refused")
        except RateLimited as limit:
            await self._limited(entry, limit)
        except (WorkerError, AnswerLost) as error:
            if isinstance(error, WorkerForeign) and not entry.tries:
                self._log.warning("What came from worker.url in place of a result is none: %s", error)
            await self._later(entry, entry.backoff())
        except CannotEncrypt:
            await self._owner.cannot_encrypt(entry)
        except TooLarge:
            await self._owner.fail(entry, "too_large")
        except UploadRefused as refusal:
            self._log.warning("The homeserver takes no upload: %s", refusal)
            await self._owner.fail(entry, "upload_refused")
        except NotAllowed:
            await self._owner.forbidden(entry)
        except Exception as error:
            self._log.error("Cannot build %s: %s", part.part, type(error).__name__)
            await self._later(entry, entry.backoff())
        self._owner.built(entry)

    async def _limited(self, entry: Entry, limit: RateLimited) -> None:
        """The homeserver's limit for uploads: waited for, but not for ever."""
        if entry.limited_since is None:
            entry.limited_since = time.monotonic()
        if time.monotonic() - entry.limited_since + limit.retry_after > UPLOAD_PATIENCE:
            self._log.warning("The homeserver's limit for uploads lasts too long")
            await self._owner.fail(entry, "upload_refused")
        else:
            await asyncio.sleep(limit.retry_after)  # whatever else is back by then, the homeserver has said when
            if self._owner.wants(entry):
                self.begin(entry)

    async def _later(self, entry: Entry, wait: float) -> None:
        await news(self._retry, wait)
        if self._owner.wants(entry):
            self.begin(entry)
