"""Watches blocked rooms: each is examined until the bot may speak again, or its requests have moved or ended.

A send that the homeserver forbids says nothing about why. So the room is asked, and until it lets us speak again (or
the requests have moved to where people are now) what is meant for it waits, each thing for a bounded time: answers
to commands for minutes, what ends a request for a week, pictures until their request expires. A ban ends the requests
at once: it is meant to last.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any

from ..errors import OtterbotError
from ..matrix.room_state import Place, Standing
from ..store.part_names import FINAL, REPLY
from ..store.rows import Kind, PartState, Rank
from ..store.store import Store
from ..waiting import news, surely
from .blocked_rooms import BlockedRoom, Left
from .entries import Entry
from .listeners import Following, RoomRules
from .queue import Outbox
from .results import Results

ANSWERS = 600.0
"""Seconds for which answers to commands wait."""
SENTENCES = 7 * 86_400.0
"""Seconds for which other messages wait, while the instance runs."""
BACKOFF = (1.0, 3.0, 10.0, 30.0, 60.0, 120.0)
"""Seconds between two checks; news from the sync trigger one earlier."""
KINDS = {Kind.REACTION: "m.reaction", Kind.REDACTION: "m.room.redaction"}
FORBIDDEN_TWICE = 2
"""After so many refusals in a room where the bot may speak, the event itself is refused for good."""
FOLLOW_PATIENCE = 600.0
"""Seconds for which messages that could still be sent in an upgraded room wait for the bot to join the new one."""


class RoomWatch:
    """One per outbox; a task for each blocked room."""

    def __init__(self, outbox: Outbox, results: Results, store: Store, rules: RoomRules, log: logging.Logger) -> None:
        self._outbox = outbox
        self._results = results
        self._store = store
        self._rules = rules
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Runs as one task; stopped by :meth:`stop`."""
        while True:
            found = await self._outbox.blocked.new.get()
            if isinstance(found, Left):
                self._spawn(self._doubt_if_waited_for(found.room))
            else:
                self._spawn(self._watch(found))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="otterbot blocked room")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _doubt_if_waited_for(self, room: str) -> None:
        if await surely(lambda: self._waited_for(room), self._log, for_ever=True):
            self._outbox.blocked.doubt(room)

    async def _watch(self, blocked: BlockedRoom) -> None:
        tries, lifted = 0, False
        try:
            while not lifted:
                blocked.news.clear()
                lifted = await self._look(blocked)
                if not lifted:
                    tries = 0 if await news(blocked.news, BACKOFF[min(tries, len(BACKOFF) - 1)]) else tries + 1
        finally:
            self._outbox.blocked.release(blocked.room)
        for entry in self._outbox.entries_in(blocked.room):
            entry.not_before = 0.0
            self._outbox.rebuild(*entry.part.id)
        self._outbox.news.set()

    async def _look(self, blocked: BlockedRoom) -> bool:
        """Check a room once; true if it is no longer blocked, or nothing waits for it."""
        try:
            standing = await self._rules.standing(blocked.room)
            blocked.place = standing.place
            if await self._judge(blocked, standing):
                return True
        except (OtterbotError, OSError) as error:
            self._log.info("A room cannot be asked yet: %s", type(error).__name__)
        except Exception as error:
            self._log.error("A blocked room: %s", type(error).__name__)
        try:
            await self._give_up_old(blocked.room)
            waited_for = await self._waited_for(blocked.room)
        except Exception as error:
            self._log.error("A blocked room: %s", type(error).__name__)
            return False
        return blocked.place is not None and not waited_for

    async def _judge(self, blocked: BlockedRoom, standing: Standing) -> bool:
        """Act on the bot's standing in the room; true if it is no longer blocked."""
        entries = await self._idle(blocked.room)
        for entry in entries:
            if standing.place is Place.SPEAKS and KINDS.get(entry.part.kind) in standing.forbidden:
                await self._results.failed(entry, "not_allowed")
        if standing.tombstone is not None:
            following = await self._rules.follow(blocked.room, standing.tombstone)
            if following is Following.MOVED:
                return await self._leftovers(blocked, standing)
            if following is Following.NOT_YET and standing.place is Place.SPEAKS:
                return time.monotonic() - blocked.since > FOLLOW_PATIENCE
        if standing.place is Place.SPEAKS:
            for entry in entries:
                if entry.refusals >= FORBIDDEN_TWICE:
                    await self._results.failed(entry, "not_allowed")
            return True
        for entry in entries:
            entry.refusals = 0
        if standing.place is Place.BANNED:
            await self._rules.banned(blocked.room)
        return False

    async def _leftovers(self, blocked: BlockedRoom, standing: Standing) -> bool:
        """The requests have moved to the new room. Reactions and edits of messages in the old room are sent if still
        allowed, else dropped."""
        if standing.place is Place.SPEAKS:
            return True
        for entry in await self._idle(blocked.room):
            moves = entry.part.rank == Rank.RESULT or entry.part.part == FINAL  # moved at the next check
            if entry.part.kind is not Kind.MESSAGE and not moves:
                await self._results.failed(entry, "not_allowed")
        return not self._outbox.entries_in(blocked.room)

    async def _waited_for(self, room: str) -> bool:
        return bool(self._outbox.entries_in(room) or await self._store.open_requests(room))

    async def _idle(self, room: str) -> list[Entry]:
        """Waiting entries of a room that are not being sent."""
        found = []
        for entry in self._outbox.entries_in(room):
            stored = None if entry.lookup else await self._store.part(*entry.part.id)
            if stored is not None and stored.state is PartState.READY:
                found.append(entry)
        return found

    async def _give_up_old(self, room: str) -> None:
        for entry in await self._idle(room):
            longest = ANSWERS if entry.part.part == REPLY else SENTENCES
            if time.monotonic() - entry.since > longest:
                await self._results.failed(entry, "not_allowed")
