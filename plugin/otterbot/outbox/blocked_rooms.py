"""Rooms in which nothing can be sent for now: the bot is muted or was put out, or the room was closed by an upgrade.

A send that the homeserver forbids says nothing about why. So the room is asked, and until it lets us speak again (or
the requests have moved to where people are now) what is meant for it waits here, each thing for a bounded time: answers
to commands for minutes, what ends a request for a week, pictures until their request expires. A ban ends the requests
at once: it is meant to last. Nothing of it is stored: after a start the first refusal finds it out again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Protocol

from ..errors import OtterbotError
from ..matrix.room_state import Place, Standing, Tombstone
from ..store.rows import Kind, Part, PartState, Rank
from ..store.store import Store
from ..waiting import news, surely
from .builder import Entry

ANSWERS = 600.0
"""Seconds for which the answer to a command waits."""
SENTENCES = 7 * 86_400.0
"""Seconds for which everything else waits, as long as the instance runs."""
BACKOFF = (1.0, 3.0, 10.0, 30.0, 60.0, 120.0)
"""Seconds between two looks; news from the sync come in between."""
UNREADABLE = 30.0
"""Seconds until a room that may not be read is looked through again."""
KINDS = {Kind.REACTION: "m.reaction", Kind.REDACTION: "m.room.redaction"}
FORBIDDEN_TWICE = 2
"""Refusals in a room where we may speak, after which it is that event which is not wanted."""
FOLLOW_PATIENCE = 600.0
"""Seconds for which what could still be said in a closed room waits for the way into the new one."""


class Following(Enum):
    """How far the way into the room that replaces another has been gone."""

    MOVED = auto()
    NOT_YET = auto()
    """We are not let in, or could not ask."""
    NEVER = auto()
    """That room does not say that it replaces this one."""


class Owner(Protocol):
    """The outbox."""

    def enqueue(self, parts: Iterable[Part]) -> None: ...
    def forget(self, entry: Entry) -> None: ...
    def rebuild(self, key: str, name: str) -> None: ...
    def built(self, entry: Entry) -> None: ...
    async def fail(self, entry: Entry, reason: str) -> None: ...


class Rules(Protocol):
    """Who knows rooms; implemented by :class:`~..inbox.room_upgrades.RoomUpgrades`."""

    async def standing(self, room: str) -> Standing: ...
    async def follow(self, room: str, tombstone: Tombstone) -> Following: ...
    async def banned(self, room: str) -> None: ...


@dataclass(eq=False)
class _Barred:
    room: str
    since: float = field(default_factory=time.monotonic)
    place: Place | None = None
    """``None``: not known yet."""
    news: asyncio.Event = field(default_factory=asyncio.Event)


class BarredRooms:
    """One per outbox. As long as nobody has set ``rules``, whatever is forbidden is final."""

    def __init__(
        self, owner: Owner, entries: Mapping[tuple[str, str], Entry], store: Store, log: logging.Logger
    ) -> None:
        """``entries`` are the outbox's own, by the ids of their parts."""
        self._owner = owner
        self._entries = entries
        self._store = store
        self._log = log
        self._rooms: dict[str, _Barred] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.stopped = False
        self.rules: Rules | None = None

    async def stop(self) -> None:
        self.stopped = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def bars(self, entry: Entry) -> bool:
        """Must it wait? Whether it stands in the room already can be looked for all the same."""
        return entry.part.room_id in self._rooms and not entry.lookup

    def place(self, room: str) -> Place | None:
        """How we stand in a room that is barred."""
        barred = self._rooms.get(room)
        return None if barred is None else barred.place

    def doubt(self, room: str) -> None:
        """It may be that we cannot speak there, or that the room goes on elsewhere: the room is asked."""
        if self.rules is None or self.stopped:
            return
        if room in self._rooms:
            self._rooms[room].news.set()
            return
        barred = self._rooms[room] = _Barred(room)
        self._spawn(self._watch(barred, self.rules))

    def left(self, room: str) -> None:
        """We are not in it any more. It is asked why if something waits for it, and else left alone."""
        if self.rules is not None and not self.stopped:
            self._spawn(self._doubt_if_waited_for(room))

    async def _doubt_if_waited_for(self, room: str) -> None:
        if await surely(lambda: self._waited_for(room), self._log, for_ever=True):
            self.doubt(room)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="otterbot barred room")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def heard(self, room: str | None = None) -> None:
        """Something has changed in that room, or (``None``) in rooms that others wait for."""
        for barred in self._rooms.values():
            if room in (None, barred.room):
                barred.news.set()

    async def refused(self, entry: Entry) -> None:
        """The homeserver forbids it, and has not done it."""
        if self.rules is None:
            await self._owner.fail(entry, "not_allowed")
            return
        if not entry.stored:
            self._owner.forget(entry)
        elif entry.lookup:
            entry.not_before = time.monotonic() + UNREADABLE
        else:
            entry.refusals += 1
            await self._store.unmark_sending(*entry.part.id)
        self.doubt(entry.part.room_id)

    async def unwanted(self, entry: Entry) -> None:
        """It was not sent: its request is over, or has moved to another room; then it follows."""
        request = await self._store.request(entry.part.key)
        if entry.part.rank == Rank.RESULT and request is not None and not request.open:
            await self._owner.fail(entry, "gone")  # its picture is owed a deletion by that
            return
        self._owner.forget(entry)
        await self._store.unmark_sending(*entry.part.id)  # it has been looked for, and is not there
        stored = await self._store.part(*entry.part.id)
        if stored is not None and stored.state is PartState.READY and stored.room_id == entry.part.room_id:
            self.doubt(entry.part.room_id)

    async def moved(self, parts: Iterable[Part]) -> None:
        """These belong to another room by now, or to none. (Those that were being sent do not, and stay.)"""
        for part in parts:
            stored, entry = await self._store.part(*part.id), self._entries.get(part.id)
            if stored is None:
                continue
            pending = stored.state in (PartState.READY, PartState.SENDING)
            if entry is not None and pending and stored.room_id == entry.part.room_id:
                continue
            if entry is not None:
                self._owner.forget(entry)
                if entry.build is not None:
                    entry.build.cancel()
            if stored.state is PartState.READY:
                self._owner.enqueue([stored])

    # -- watching ----------------------------------------------------------------------------

    async def _watch(self, barred: _Barred, rules: Rules) -> None:
        tries, lifted = 0, False
        try:
            while not lifted:
                barred.news.clear()
                lifted = await self._look(barred, rules)
                if not lifted:
                    tries = 0 if await news(barred.news, BACKOFF[min(tries, len(BACKOFF) - 1)]) else tries + 1
        finally:
            self._rooms.pop(barred.room, None)
        for entry in self._entries_of(barred.room):
            entry.not_before = 0.0
            self._owner.rebuild(*entry.part.id)
            self._owner.built(entry)

    async def _look(self, barred: _Barred, rules: Rules) -> bool:
        """One look; true if the room is barred no longer, or nothing waits for it."""
        try:
            standing = await rules.standing(barred.room)
            barred.place = standing.place
            if await self._judge(barred, standing, rules):
                return True
        except (OtterbotError, OSError) as error:
            self._log.info("A room cannot be asked yet: %s", type(error).__name__)
        except Exception as error:
            self._log.error("A barred room: %s", type(error).__name__)
        try:
            await self._give_up_old(barred.room)
            waited_for = await self._waited_for(barred.room)
        except Exception as error:
            self._log.error("A barred room: %s", type(error).__name__)
            return False
        return barred.place is not None and not waited_for

    async def _judge(self, barred: _Barred, standing: Standing, rules: Rules) -> bool:
        """What follows from how we stand in the room; true if the room is barred no longer."""
        entries = await self._idle(barred.room)
        for entry in entries:
            if standing.place is Place.SPEAKS and KINDS.get(entry.part.kind) in standing.forbidden:
                await self._owner.fail(entry, "not_allowed")
        if standing.tombstone is not None:
            following = await rules.follow(barred.room, standing.tombstone)
            if following is Following.MOVED:
                return await self._leftovers(barred, standing)
            if following is Following.NOT_YET and standing.place is Place.SPEAKS:
                return time.monotonic() - barred.since > FOLLOW_PATIENCE
        if standing.place is Place.SPEAKS:
            for entry in entries:
                if entry.refusals >= FORBIDDEN_TWICE:
                    await self._owner.fail(entry, "not_allowed")
            return True
        for entry in entries:
            entry.refusals = 0
        if standing.place is Place.BANNED:
            await rules.banned(barred.room)
        return False

    async def _leftovers(self, barred: _Barred, standing: Standing) -> bool:
        """All that people wait for is in the new room. The reactions and edits of what stands in the old one are made
        where we still may, and are not missed where we may not."""
        if standing.place is Place.SPEAKS:
            return True
        for entry in await self._idle(barred.room):
            moves = entry.part.rank == Rank.RESULT or entry.part.part == "final"  # at the next look
            if entry.part.kind is not Kind.MESSAGE and not moves:
                await self._owner.fail(entry, "not_allowed")
        return not self._entries_of(barred.room)

    async def _waited_for(self, room: str) -> bool:
        return bool(self._entries_of(room) or await self._store.open_requests(room))

    def _entries_of(self, room: str) -> list[Entry]:
        return [entry for entry in self._entries.values() if entry.part.room_id == room]

    async def _idle(self, room: str) -> list[Entry]:
        """What waits there and is surely not being sent."""
        found = []
        for entry in self._entries_of(room):
            stored = None if entry.lookup else await self._store.part(*entry.part.id)
            if stored is not None and stored.state is PartState.READY:
                found.append(entry)
        return found

    async def _give_up_old(self, room: str) -> None:
        for entry in await self._idle(room):
            longest = ANSWERS if entry.part.part == "reply" else SENTENCES
            if time.monotonic() - entry.since > longest:
                await self._owner.fail(entry, "not_allowed")
