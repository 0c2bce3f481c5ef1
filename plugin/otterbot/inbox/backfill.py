"""Backfill: walks back through timelines for messages that came while the bot was away.

mautrix stores its place in the sync before the handlers run, and does not fill the gaps of a
limited timeline, so the sync alone loses messages. There is no cursor, because handlers reorder: handled events are
known by their ids.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from ..errors import AnswerLost, MatrixError, MatrixRefused, RateLimited, places
from ..matrix.http import MatrixHttp
from ..matrix.sync_answer import TIMELINE, Raw, seconds
from ..waiting import LASTING
from .holdback import EVERYWHERE, Holdback
from .timeline import Coming

T = TypeVar("T")
PAGE = 100
PAGES = 100
AT_A_TIME = 3
FILTER = {"types": [*sorted(TIMELINE), "m.room.member"]}
BACKOFF = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Backfill:
    """Walks rooms; each walk gives the events it found, oldest first. ``order`` is notified of a walk when it is
    requested, before its coroutine runs."""

    def __init__(
        self,
        http: MatrixHttp,
        *,
        bot: str,
        horizon: Callable[[], Awaitable[float]],
        seen: Callable[[str, float], bool],
        found: Callable[[str, list[Raw]], None],
        arrived: Callable[[str, Raw], None],
        order: Holdback,
        log: logging.Logger,
    ) -> None:
        self._http = http
        self._bot = bot
        self._horizon = horizon
        self._seen = seen
        self._found = found
        self._arrived = arrived
        self._order = order
        self._log = log
        self._slots = asyncio.Semaphore(AT_A_TIME)
        self._walking: set[str] = set()
        self._since: dict[str, float] = {}
        """Room → moment (``time.monotonic()``) from which on events may have gaps before them."""

    def everywhere(self, since: float) -> Coroutine[Any, Any, None]:
        """Walk every joined room, as soon as the homeserver answers. ``since``: see :meth:`room`."""
        self._order.begun(EVERYWHERE)
        return self._everywhere(since)

    def room(self, room: str, since: float) -> Coroutine[Any, Any, None]:
        """Walk one room; a walk that is asked for during one follows it. It ends where all events came before ``since``
        (``time.monotonic()``): events that came later may have gaps before them."""
        self._order.begun(room)
        self._since[room] = min(since, self._since.get(room, since))
        return self._room(room)

    async def _everywhere(self, since: float) -> None:
        try:
            rooms: list[str] = await self._insist(self._http.joined_rooms) or []
            walks = [self.room(room, since) for room in rooms]
        finally:
            self._order.over(EVERYWHERE)
        await asyncio.gather(*walks)

    async def _room(self, room: str) -> None:
        try:
            await self._walks(room)
        except LASTING as error:  # an error of one room must not stop the others
            self._log.error("A room cannot be walked: %s\n%s", type(error).__name__, places(error))
        finally:
            self._order.over(room)

    async def _walks(self, room: str) -> None:
        if room in self._walking:
            return
        self._walking.add(room)
        try:
            while (since := self._since.pop(room, None)) is not None:
                await self._insist(partial(self._in_turn, room, since))
        finally:
            self._walking.discard(room)

    async def _insist(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """Repeat ``call`` until the homeserver answers (and the database is not locked); ``None`` if it refuses."""
        tries = 0
        while True:
            wait = BACKOFF[min(tries, len(BACKOFF) - 1)]
            try:
                return await call()
            except RateLimited as limit:
                wait = limit.retry_after
            except AnswerLost:
                pass
            except MatrixRefused:
                return None
            except MatrixError as error:
                self._log.warning("Catching up: %s", type(error).__name__)
                return None
            except LASTING:
                raise
            except Exception as error:
                self._log.warning("Catching up, trying again: %s", type(error).__name__)
            tries += 1
            await asyncio.sleep(wait)

    async def _in_turn(self, room: str, since: float) -> None:
        """One try for one room. Other rooms come before the next try, so unreadable rooms do not block the rest."""
        async with self._slots:
            await self._walk(room, since)

    async def _walk(self, room: str, since: float) -> None:
        horizon = await self._horizon()
        coming = Coming(self._bot)
        start: str | None = None
        for _ in range(PAGES):
            events, start = await self._http.messages(room, start=start, limit=PAGE, event_filter=FILTER)
            done = start is None
            known: bool | None = None  # membership events and the bot's own messages do not count
            for event in events:
                if coming.ends(event):
                    done = True
                    break
                if "state_key" not in event and event.get("sender") != self._bot:
                    known = known is not False and self._seen(str(event.get("event_id")), since)
            if done or known or coming.page_ends() or (events and all(seconds(event) < horizon for event in events)):
                break
        if coming.came is not None and seconds(coming.came) >= horizon:
            self._arrived(room, coming.came)
        self._found(room, coming.events())
