"""Messages whose room key has not come yet. They wait, and are handled in order when it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from .encryption import Encryption
from .queues import Raw

WAITS = (2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds of one wait; after each the store is asked, in case the news was missed."""
AT_MOST = 24 * 3600.0
MAX_EVENTS = 5_000


class LateKeys:
    """One task for each missing session, for at most a day."""

    def __init__(self, encryption: Encryption, release: Callable[[str, Raw], None]) -> None:
        self._encryption = encryption
        self._release = release
        self._parked: dict[tuple[str, str], list[Raw]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0

    def waits(self, raw: Raw) -> bool:
        """Park it behind others of its session, if there are any (so that order is kept)."""
        content = raw.get("content")
        session = content.get("session_id") if isinstance(content, Mapping) else None
        parked = self._parked.get((raw["room_id"], session)) if isinstance(session, str) else None
        if parked is None:
            return False
        self._add(parked, raw)
        return True

    def park(self, session_id: str, raw: Raw) -> None:
        place = (raw["room_id"], session_id)
        parked = self._parked.get(place)
        if parked is None and self._count >= MAX_EVENTS:
            return
        if parked is None:
            parked = self._parked[place] = []
            task = asyncio.create_task(self._wait(*place), name="otterbot key")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._add(parked, raw)

    def _add(self, parked: list[Raw], raw: Raw) -> None:
        if self._count < MAX_EVENTS:
            parked.append(raw)
            self._count += 1

    def deleted(self, room: str, event_id: str) -> None:
        """Somebody took it back before it could be read: it is not to be carried out when its key comes."""
        for (place, _), parked in self._parked.items():
            if place == room:
                kept = [raw for raw in parked if raw.get("event_id") != event_id]
                self._count -= len(parked) - len(kept)
                parked[:] = kept

    async def _wait(self, room: str, session_id: str) -> None:
        waited, came, turn = 0.0, False, 0
        while not came and waited < AT_MOST:
            wait = WAITS[min(turn, len(WAITS) - 1)]
            came = await self._encryption.wait_for_key(room, session_id, wait)
            waited, turn = waited + wait, turn + 1
        parked = self._parked.pop((room, session_id), [])
        self._count -= len(parked)
        for raw in parked if came else ():
            self._release(room, raw)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
