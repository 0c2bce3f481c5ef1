"""The worker's event stream: connected again for ever, and whether it brings anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TypeVar

import aiohttp

from .. import numeric
from ..clock import Clock, steady
from ..errors import WorkerError, WorkerForeign, WorkerUnauthorized
from ..waiting import news
from .info import Info
from .job_events import Disconnected, Event, PauseEvent, Snapshot, read_event
from .sse import parse_stream
from .transport import LOST, Address, WorkerHttp, refuse

P = TypeVar("P", bound=Info | Snapshot | PauseEvent)
STREAM = aiohttp.ClientTimeout(total=None, connect=5, sock_read=40)
"""The worker sends a comment every 15 s."""
SOON, SILENCE = 6.0, 25.0
"""Seconds without bytes after which the stream counts as silent: at its beginning, and later."""
BACKOFF = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)


class EventStream:
    """One per :class:`~.client.WorkerClient`, whose ``http`` it shares."""

    def __init__(self, http: WorkerHttp) -> None:
        self._http = http
        self._hurry = asyncio.Event()
        self._streaming: tuple[Address, aiohttp.ClientResponse] | None = None
        self.connected = False
        """The event stream is connected."""
        self.begun = 0
        """How often it has begun: behind each beginning may be another worker, or another version of it."""
        self.polled = False
        """The stream is silent, so jobs are polled instead."""
        self._heard_at: tuple[float, float] | None = None
        """Time of the stream's last bytes or its beginning (``time.monotonic()``), and how long it may be silent after
        that."""
        self._was_silent = False
        """The previous stream ended without any bytes."""

    @property
    def silent(self) -> bool:
        """The stream is connected but brings no bytes."""
        if self._heard_at is None:
            return self._was_silent
        since, limit = self._heard_at
        return self._was_silent or time.monotonic() - since > limit

    def hurry(self) -> None:
        """The worker has answered a call: connect to its stream at once."""
        self._hurry.set()
        if self._streaming is not None and self._streaming[0] != self._http.address:
            self.reconnect()

    def reconnect(self) -> None:
        """End the stream; the next one begins with a snapshot of everything."""
        if self._streaming is not None:
            self._streaming[1].close()

    async def events(self) -> AsyncIterator[Event]:
        """All events, for ever. Yields a :class:`Snapshot` after each connection, and :class:`Disconnected` after each
        end (and after the first failure to connect), unless it ended because the address was changed."""
        failures = 0
        while True:
            unauthorized = foreign = False
            address = self._http.address
            try:
                async for event in self._stream():
                    failures = 0
                    yield event
            except WorkerUnauthorized:
                unauthorized, self._was_silent = True, False
                self._http.forget_token()
            except WorkerForeign:
                foreign, self._was_silent = True, False
            except (WorkerError, *LOST) as error:
                self._was_silent = self.silent and not isinstance(error, aiohttp.ClientConnectorError)
            self.connected, self._heard_at = False, None
            if self._http.address != address:
                continue  # that the old address is given up says nothing of the new one
            if not (self.polled and self._was_silent):
                yield Disconnected(unauthorized=unauthorized, foreign=foreign)
            wait = BACKOFF[min(failures, len(BACKOFF) - 1)]
            failures += 1
            self._hurry.clear()
            await news(self._hurry, wait)

    async def _stream(self) -> AsyncIterator[Event]:
        address = self._http.address
        self._heard_at = time.monotonic(), SOON
        async with self._http.open("GET", "/v1/events", STREAM, headers={"Accept": "text/event-stream"}) as response:
            if response.status != 200:
                await refuse(response)
            self._http.clock.observe(response.headers.get("Date"))
            if response.content_type != "text/event-stream":
                raise WorkerForeign("a page in place of the events")
            self._streaming = address, response
            try:
                async for name, data in parse_stream(self._while_there(address, response)):
                    event = _event(name, data)
                    if isinstance(event, Snapshot | PauseEvent):
                        event = by_our_clock(event, self._http.clock)
                    if isinstance(event, Snapshot):
                        self.connected, self.begun = True, self.begun + 1
                    if event is not None:
                        yield event
            finally:
                self._streaming = None

    async def _while_there(self, address: Address, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """The stream's bytes, until the worker's address is changed."""
        async for chunk in response.content.iter_any():
            if self._http.address != address:
                return
            self._heard_at, self._was_silent = (time.monotonic(), SILENCE), False
            yield chunk


def by_our_clock(found: P, clock: Clock) -> P:
    """Convert the end of a pause from the worker's clock to the plugin's."""
    until = found.pause.until
    if until is None:
        return found
    here = until - clock.now() + steady()
    return replace(found, pause=replace(found.pause, until=here))


def _event(name: str, data: str) -> Event | None:
    try:
        return read_event(name, numeric.parse(data))
    except (TypeError, ValueError):
        return None  # an event of a newer worker
