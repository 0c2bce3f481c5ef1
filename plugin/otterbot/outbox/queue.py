"""The queue of everything that the bot sends; entries can be withdrawn.

Parts are stored before they are enqueued, so that a start finds them again. Progress edits are not stored: the newest
replaces the waiting one. Contents are made by :mod:`.builder`, and :mod:`.send_loop` sends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..clock import Clock
from ..matrix import event_content
from ..store.part_names import PartName
from ..store.rows import Kind, Part, PartState, Rank
from ..store.store import Store
from ..waiting import surely
from .blocked_rooms import BlockedRooms
from .entries import Entry
from .fair_turns import Turns
from .offers import Rest, is_offer, offers
from .sent_before import SentBefore
from .tally import Tally


class Outbox:
    """The one queue of an account. Only a container: its users wait for ``unbuilt`` and ``news``."""

    def __init__(self, store: Store, sent_before: SentBefore, log: logging.Logger) -> None:
        self._store = store
        self._log = log
        self._entries: dict[tuple[str, str], Entry] = {}
        self._order = 0
        self.sent_before = sent_before
        self.turns = Turns(store.clock)
        self.blocked = BlockedRooms()
        self._rest = Rest()
        self.unbuilt: asyncio.Queue[Entry] = asyncio.Queue()
        """Entries whose content has to be built."""
        self.news = asyncio.Event()
        """Set when there may be something to send; the sender clears it."""
        self.retry = asyncio.Event()
        """Set, and replaced by a new event, when the worker is back, so that waiting retries start at once."""
        self.stopped = False
        self.tally = Tally()

    @property
    def clock(self) -> Clock:
        return self._store.clock

    # -- what goes in ------------------------------------------------------------------------

    async def take_up(self) -> None:
        """Enqueue the unsent parts of the database."""
        await self.sent_before.start(self._store)
        self.enqueue(await self._store.pending_parts())

    def enqueue(self, parts: Iterable[Part]) -> None:
        """Send parts that are stored already."""
        for part in parts:
            if part.id in self._entries or self.stopped:
                continue  # parts stored while stopping are found by the next start
            self._order += 1
            entry = Entry(part, self._order, lookup=self.sent_before.concerns(part), content=part.content)
            self._entries[part.id] = entry
            if entry.content is None and not entry.lookup:
                self.want_content(entry)
        self.news.set()

    async def post(self, part: Part) -> bool:
        """Store a part and enqueue it; false if its request has such a part already.

        A cancelled caller never leaves a stored part that is not enqueued.
        """
        return await asyncio.shield(asyncio.create_task(self._post(part), name="otterbot post"))

    async def _post(self, part: Part) -> bool:
        added = await self._store.add_part(part)
        if added:
            self.enqueue([part])
        return added

    def edit(self, key: str, name: PartName, room: str, target: str, content: dict[str, Any]) -> None:
        """Show ``content`` in place of ``target``. Not stored; a newer edit of the same name replaces it."""
        part = Part(key=key, part=name, room_id=room, kind=Kind.EDIT, rank=Rank.EDIT)
        old = self._entries.get(part.id)
        self._order += 1
        self._entries[part.id] = Entry(
            part,
            old.order if old is not None else self._order,
            stored=False,
            content=event_content.edit(content, target),
        )
        self.news.set()

    def offer(self, picture: Part, emojis: Iterable[str]) -> None:
        """Put reactions under a picture, if nothing more important is to be sent soon. Not stored."""
        if self._rest.lasts or self.stopped or picture.event_id is None:
            return
        for part in offers(picture, emojis):
            self._order += 1
            self._entries[part.id] = Entry(part, self._order, stored=False, content=part.content)
        self.news.set()

    # -- what goes out again -----------------------------------------------------------------

    def drop_edit(self, key: str, name: PartName) -> None:
        """Drop a waiting edit that is out of date."""
        entry = self._entries.get((key, name))
        if entry is not None and not entry.stored:
            self.forget(entry)

    def drop_offers(self) -> None:
        """The homeserver limits the account: what can be done without is not sent."""
        self._rest.begin()
        for entry in [entry for entry in self._entries.values() if is_offer(entry)]:
            self.forget(entry)

    async def withdraw(self, key: str, name: str) -> bool:
        """Withdraw a part whose sending has not begun; false if it is in the room, or may be."""
        entry = self._entries.get((key, name))
        dropped = await self._store.drop(key, name)
        if dropped and entry is not None:
            self.forget(entry)
        return dropped

    async def give_up(self, key: str, name: str, reason: str) -> bool:
        """Give up a part for ever; false if it does not wait here. Listeners are not notified."""
        entry = self._entries.get((key, name))
        if entry is None:
            return False
        return await self.discard(entry, reason)

    async def discard(self, entry: Entry, reason: str) -> bool:
        """As :meth:`give_up`, for an entry that may have left the queue. False: it was a volatile edit."""
        if entry.stored:
            # The mark must not be lost, or the part would be sent again.
            await surely(lambda: self._store.mark_failed(*entry.part.id, reason), self._log, for_ever=True)
        self.forget(entry)
        if entry.stored:
            self.tally.given_up += 1
            self._log.warning("Gave up sending %s: %s", entry.part.part, reason)
        return entry.stored

    def forget(self, entry: Entry) -> None:
        if self._entries.get(entry.part.id) is entry:
            del self._entries[entry.part.id]

    async def moved(self, parts: Iterable[Part]) -> None:
        """These parts have moved to another room, or were dropped. (Those being sent stay.)"""
        for part in parts:
            stored, entry = await self._store.part(*part.id), self._entries.get(part.id)
            if stored is None:
                continue
            pending = stored.state in (PartState.READY, PartState.SENDING)
            if entry is not None and pending and stored.room_id == entry.part.room_id:
                continue
            if entry is not None:
                self.forget(entry)
                if entry.build is not None:
                    entry.build.cancel()
            if stored.state is PartState.READY:
                self.enqueue([stored])

    # -- contents ----------------------------------------------------------------------------

    def want_content(self, entry: Entry) -> None:
        self.unbuilt.put_nowait(entry)

    def rebuild(self, key: str, name: str, image_id: str | None = None) -> None:
        """Build that part again, possibly from another picture."""
        entry = self._entries.get((key, name))
        if entry is None or entry.content is not None:
            return
        if image_id is not None:
            entry.part = replace(entry.part, image_id=image_id)
        if not entry.lookup and not entry.being_built:
            self.want_content(entry)

    def retry_builds(self) -> None:
        """The worker is back: retry failed builds now."""
        self.retry.set()
        self.retry = asyncio.Event()
        for entry in list(self._entries.values()):
            self.rebuild(*entry.part.id)

    # -- what there is -----------------------------------------------------------------------

    def waiting(self, key: str, name: str) -> bool:
        return (key, name) in self._entries

    def holds(self, entry: Entry) -> bool:
        """Whether the entry is still to be sent."""
        return self._entries.get(entry.part.id) is entry

    def sendable(self) -> list[Entry]:
        """Entries that could be sent, regardless of order and backoff."""
        return [entry for entry in self._entries.values() if entry.sendable and not self.blocked.blocks(entry)]

    def entries_in(self, room: str) -> list[Entry]:
        return [entry for entry in self._entries.values() if entry.part.room_id == room]

    def depth(self) -> Counter[Rank]:
        """How many wait, by rank; those of rooms that take nothing now count too."""
        return Counter(Rank(entry.part.rank) for entry in self._entries.values())

    def oldest(self) -> float:
        """For how many seconds the oldest result or refusal waits; 0 without one. Those of rooms that take nothing now
        (muted, kicked) do not count: nobody can do anything about them here."""
        now = time.monotonic()
        urgent = (
            entry
            for entry in self._entries.values()
            if entry.part.rank <= Rank.REFUSAL and not self.blocked.blocks(entry)
        )
        return max((now - entry.since for entry in urgent), default=0.0)
