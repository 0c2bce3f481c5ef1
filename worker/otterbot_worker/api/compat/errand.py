"""`errand`: one request of another program and its job, from submission to the end.

Such a program waits for its answer on the connection. So the job lives as long as that: it is cancelled, queued or
running, once the connection is gone, the worker ends, or it has waited for too long.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from aiohttp import web

from ...queue.model import StoredJob
from ...runner.unbroken import unbroken
from ...schemas.jobs import ChatEvent, Job, Progress
from ..auth import asker
from ..events import Watch
from ..parts import PARTS, Parts
from ..problems import ApiProblem
from ..protocol import Connection
from ..submitting import AnyJob, accept
from . import results
from .results import Drawn

log = logging.getLogger(__name__)

MOST_WAITING = 16
"""Requests of one client at the same time. Each holds a connection and, at the end, its pictures in memory."""
WAIT_SECONDS = 3_600.0
KEEP_ALIVE_SECONDS = 15.0
"""After so long without news there is an empty `Update`, so that a stream can show that it lives."""


class Gone(Exception):
    """Nobody waits any more: the connection has ended."""


@dataclass(frozen=True, kw_only=True)
class Update:
    """What has happened to a job since the last one; all empty: nothing has."""

    job: Job | None = None
    """As it is now, where its state or its results may have changed."""
    progress: Mapping[int, Progress] = field(default_factory=dict)
    """By picture."""
    said: ChatEvent | None = None


class Waiting:
    """How many requests of each client wait. Owned by the application."""

    def __init__(self) -> None:
        self._by_client: Counter[str] = Counter()
        self._reading: dict[str, asyncio.Lock] = {}
        """By client; there are as many as tokens."""

    def reading(self, client: str) -> asyncio.Lock:
        """Held while a large body of a client's is read: one at a time."""
        return self._reading.setdefault(client, asyncio.Lock())

    @contextmanager
    def place(self, client: str) -> Iterator[None]:
        """:raises ApiProblem: 429"""
        if self._by_client[client] >= MOST_WAITING:
            detail = f"{MOST_WAITING} requests of this token wait already; please wait for one of them."
            raise ApiProblem(429, "too_many_waiting", detail, headers={"Retry-After": "15"})
        self._by_client[client] += 1
        try:
            yield
        finally:
            self._by_client[client] -= 1
            if not self._by_client[client]:
                del self._by_client[client]


WAITING = web.AppKey("waiting", Waiting)


class Errand:
    """``job``: as it was last seen. ``fetched_later``: its pictures are waited for by a link, not on the connection."""

    def __init__(self, request: web.Request, parts: Parts, stored: StoredJob, job: Job) -> None:
        self._request = request
        self._parts = parts
        self._stored = stored
        self.job = job
        self.fetched_later = False

    async def updates(self) -> AsyncGenerator[Update]:
        """Until the job is final, which the last one shows.

        :raises Gone: :raises ApiProblem: the worker ends, or it took too long
        """
        until = time.monotonic() + WAIT_SECONDS
        with self._parts.hub.watch(self._stored.id) as watch, self._until_lost(watch):
            while True:
                watch.wake.clear()
                self._check(watch, until)
                yield await self._news(watch)
                if self.job.state.final:
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                        await watch.wake.wait()

    async def finished(self) -> Job:
        """The final job. :raises Gone: :raises ApiProblem:"""
        async with aclosing(self.updates()) as updates:
            async for _ in updates:
                pass
        return self.job

    async def preview(self, index: int) -> bytes | None:
        """What a picture looks like by now, a JPEG."""
        return await self._parts.views.preview(self._stored.id, index)

    async def pictures(self) -> list[Drawn]:
        """Those that are drawn."""
        return await results.drawn(self._parts, self._stored.client, self.job)

    async def close(self) -> None:
        """Cancels what is not done of it; whoever waited has its pictures now, or nobody will come for them."""
        if not self.job.state.final and await self._parts.dispatcher.cancel(self._stored):
            log.info("cancelled: nobody waits for it", extra={"job": self._stored.id, "client": self._stored.client})
            self.job = await self._parts.views.job(self._stored)
        if not self.fetched_later:
            await results.delivered(self._parts, await self.pictures())

    def _until_lost(self, watch: Watch) -> AbstractContextManager[None]:
        protocol = self._request.protocol
        return protocol.telling(watch.wake.set) if isinstance(protocol, Connection) else contextlib.nullcontext()

    def _check(self, watch: Watch, until: float) -> None:
        if self._request.transport is None:
            raise Gone
        if watch.closed:
            raise ApiProblem(503, "stopping", "The worker is being stopped; please ask again.")
        if time.monotonic() > until:
            detail = f"It was not done within {WAIT_SECONDS / 60:.0f} minutes, so it was cancelled."
            raise ApiProblem(504, "took_too_long", detail)

    async def _news(self, watch: Watch) -> Update:
        progress, watch.progress = watch.progress, {}
        said, watch.said = watch.said, None
        if not watch.changed:
            return Update(progress=progress, said=said)
        watch.changed = False
        self.job = await self._parts.views.job(self._stored)
        return Update(job=self.job, progress=progress, said=said)


@asynccontextmanager
async def errand(request: web.Request, new: AnyJob) -> AsyncIterator[Errand]:
    """A submitted job for as long as the block lasts. :raises ApiProblem:"""
    parts = request.app[PARTS]
    stored, _ = await accept(parts, asker(request), new)
    one = Errand(request, parts, stored, await parts.views.job(stored))
    try:
        yield one
    finally:
        try:
            await unbroken(one.close())
        except Exception:
            # The answer may have left already: nothing may be raised that would become a second one.
            log.exception("what a request left could not be cleared away", extra={"job": stored.id})


def new_key() -> str:
    """Of a job that is never submitted again."""
    return secrets.token_hex(16)


async def sent(request: web.Request, response: web.Response) -> web.Response:
    """An answer that has left before the errand ends, which lets its pictures go. :raises Gone:"""
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError:
        raise Gone from None
    return response
