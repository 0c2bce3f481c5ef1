"""Messages whose room key is missing: they wait, and are handled in order when it comes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from ..matrix.encryption import Encryption
from ..matrix.sync_answer import Raw
from .parked import Waiting
from .unread import Unread

WAITS = (2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds of each wait, after which the crypto store is asked in case the notification was missed."""
AT_MOST = 24 * 3600.0
PATIENCE = 10.0
"""Seconds before the room is told about a missing key."""

Place = tuple[str, str, str]
"""Room, sender and session. With the sender, since nobody may interfere with another person's session id."""


class Undecrypted:
    """One task for each missing session, for at most a day; one timer for each room that may have to be told."""

    def __init__(
        self, encryption: Encryption, release: Callable[[str, Raw], None], unread: Unread, log: logging.Logger
    ) -> None:
        self._encryption = encryption
        self._release = release
        self._unread = unread
        self._parked = unread.parked
        self._log = log
        self._waits: dict[Place, asyncio.Task[None]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._hearing_since: float | None = None

    # -- what comes --------------------------------------------------------------------------

    def waits(self, raw: Raw) -> bool:
        """Park it behind others of its session, if there are any (so that order is kept)."""
        content = raw.get("content")
        session = content.get("session_id") if isinstance(content, Mapping) else None
        if not isinstance(session, str) or not self._parked.has(raw["room_id"], raw["sender"], session):
            return False
        self._add(session, raw)
        return True

    def park(self, session_id: str, raw: Raw) -> None:
        """Park an event without key. Nothing is kept of people who may not use the bot."""
        if not self._unread.allowed(raw["sender"]):
            self._parked.strangers += 1
            return
        self._add(session_id, raw)

    def never(self, session_id: str, raw: Raw) -> None:
        """The key will never come: tell the room at once."""
        if self._unread.allowed(raw["sender"]):
            lost = Waiting(room=raw["room_id"], sender=raw["sender"], session=session_id, raw=raw)
            self._spawn(self._tell(lost))

    def _add(self, session: str, raw: Raw) -> None:
        new = Waiting(room=raw["room_id"], sender=raw["sender"], session=session, raw=raw)
        lost = self._parked.add(new)
        if lost is not new:
            if new.place not in self._waits:
                self._waits[new.place] = self._spawn(self._wait(new.place))
            self._set_timer(new.room, PATIENCE)
        if lost is not None:
            self._end_idle(lost.place)

    def deleted(self, room: str, event_id: str) -> None:
        """Forget an event that was deleted before it could be read."""
        gone = self._parked.forget(room, event_id)
        if gone is not None:
            self._end_idle(gone.place)

    def _end_idle(self, place: Place) -> None:
        if place in self._waits and not self._parked.has(*place):
            self._waits.pop(place).cancel()

    # -- the key comes -----------------------------------------------------------------------

    async def _wait(self, place: Place) -> None:
        room, _, session = place
        waited, came, turn = 0.0, False, 0
        while not came and waited < AT_MOST:
            wait = WAITS[min(turn, len(WAITS) - 1)]
            try:
                came = await self._encryption.wait_for_key(room, session, wait)
            except Exception as error:  # a locked crypto store does not mean a missing key
                self._log.warning("Cannot look for a room key, trying again: %s", type(error).__name__)
                await asyncio.sleep(wait)
            waited, turn = waited + wait, turn + 1
        self._waits.pop(place, None)
        self._done(place, came=came)

    def _done(self, place: Place, *, came: bool) -> None:
        for waiting in self._parked.take(*place):
            if came:
                self._release(waiting.room, waiting.raw)

    # -- the key does not come ---------------------------------------------------------------

    def hearing(self, *, works: bool) -> None:
        """Tells whether the sync works, which brings the keys. Without it no key counts as late."""
        if not works:
            self._hearing_since = None
        elif self._hearing_since is None:
            self._hearing_since = time.monotonic()

    def _set_timer(self, room: str, seconds: float) -> None:
        if room not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[room] = loop.call_later(seconds, lambda: self._spawn(self._late(room)))

    async def _late(self, room: str) -> None:
        """Tell the room about overdue messages, once for all of them."""
        try:
            late = await self._without_key(self._due(room))
            if late:
                await self._tell(late[-1])
        except Exception as error:
            self._log.warning("Cannot look for late room keys, trying again: %s", type(error).__name__)
        finally:
            self._timers.pop(room, None)
            left = [waiting.since for waiting in self._parked.of(room) if not waiting.told]
            if left:
                now = time.monotonic()
                heard = now if self._hearing_since is None else self._hearing_since
                self._set_timer(room, max(0.05, max(min(left), heard) + PATIENCE - now))

    async def _tell(self, lost: Waiting) -> None:
        try:
            await self._unread.tell(lost)
        except Exception as error:
            self._log.error("Cannot tell that a message was unreadable: %s", type(error).__name__)

    def _due(self, room: str) -> list[Waiting]:
        heard = self._hearing_since
        if heard is None:
            return []
        latest = time.monotonic() - PATIENCE
        found = [one for one in self._parked.of(room) if not one.told and max(one.since, heard) <= latest]
        return sorted(found, key=lambda one: one.since)

    async def _without_key(self, due: list[Waiting]) -> list[Waiting]:
        """Those whose key is still missing; the others' notifications were missed."""
        came: dict[Place, bool] = {}
        for one in due:
            if one.place not in came:
                came[one.place] = await self._encryption.wait_for_key(one.room, one.session, 0)
            one.told = True
        for place in (place for place, here in came.items() if here):
            if place in self._waits:
                self._waits.pop(place).cancel()
            self._done(place, came=True)
        return [one for one in due if not came[one.place]]

    # -- the end -----------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name="otterbot key")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
