"""What this account has sent before, by the rooms themselves: the database may be an older backup.

Whatever is owed to a message from before this start is looked for in its room before anything is sent. A part that
stands there was sent. Of a request that ended there and is open here, or unknown, nothing more is said: its pictures
were delivered, however they look to a worker that has deleted them since, and a queue that is full today has nothing
to do with it. Where the database knows the ending, what is left of it is still to be said. Rooms may have been upgraded
since, more than once: what belongs to a message is looked for in its own room and in all that have replaced it.

Always, and not only where a backup is suspected: nothing shows reliably that a database is old (a mark elsewhere, in
the account's data, say, is as new as the last write of it), and one page of the room is read once per start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ..clock import Clock, steady
from ..errors import MatrixError, MatrixRefused, NotAllowed
from ..matrix.encryption import Encryption, KeyMissing
from ..matrix.event_content import OUR_KEY
from ..matrix.http import MatrixHttp
from ..matrix.room_state import RoomStates
from ..matrix.sync_answer import seconds
from ..store.part_names import DONE, FINAL, PROGRESS, REPLY, STATUS_FINAL
from ..store.rows import Kind, Part, PartState, Rank
from ..store.store import DAY, Store
from .find_sent import PAGES, SLACK, find_sent

CHAIN = 30
"""Limit of upgrades that are followed back."""
HEARD = 2 * DAY
"""Seconds: a message is handled up to a day after it was sent, and its answer may wait for another day."""
AGAIN = frozenset(PROGRESS)
"""Messages that are sent in a room and again in its replacement."""
LAST = frozenset({DONE, REPLY, FINAL, STATUS_FINAL})
"""Parts that show in a room that a request has ended there. The reaction ``done`` is readable without keys; what was
asked for with a reaction has none."""


@dataclass(eq=False)
class _Room:
    """The bot's own events of a room, newest first, as far as they were read."""

    events: dict[tuple[str, str], str] = field(default_factory=dict)
    transactions: dict[str, str] = field(default_factory=dict)
    back_to: float = float("inf")
    """Unix time back to which the events are read."""
    next: str | None = None
    pages: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True)
class Verdict:
    """The verdict on one part. With neither field set it was never sent, and may be."""

    event_id: str | None = None
    over: bool = False
    """Its request ended in the room before this start."""


class SentBefore:
    """One per outbox; keeps the events it has read while the instance runs."""

    def __init__(self, http: MatrixHttp, encryption: Encryption, bot: str, clock: Clock, log: logging.Logger) -> None:
        self._http = http
        self._encryption = encryption
        self._bot = bot
        self._clock = clock
        self._log = log
        self._started = steady()
        self._since: dict[str, float] = {}
        """Key → time of the message it answers, for everything from before this start."""
        self._origins: dict[str, str] = {}
        """Key → the room of that message, which may have been upgraded since; unknown for moved answers."""
        self._states = RoomStates(http, bot)
        self._predecessors: dict[str, str | None] = {}
        self._successors: dict[str, str | None] = {}
        """Room → its successor when first asked; later successors can only hold messages of this run."""
        self._ended: set[str] = set()
        """Keys of requests that have ended in the database as well."""
        self._rooms: dict[str, _Room] = {}
        self._warned = False

    async def start(self, store: Store) -> None:
        """Record everything that the database still owes at the start."""
        for request in [*await store.open_requests(), *await store.unclosed(self._clock.now() - DAY)]:
            self._since[request.key] = request.sent_at or request.created_at
            self._origins[request.key] = request.origin
            if not request.open:
                self._ended.add(request.key)
        for part in await store.pending_parts():
            if part.key not in self._since:
                self._ended.add(part.key)
                over = await store.request(part.key)
                if over is None:
                    # An answer, whose message is not stored. It may have been stored by a run before the backup was
                    # restored.
                    self._since[part.key] = part.updated_at - HEARD
                else:
                    self._since[part.key] = min(part.updated_at, over.sent_at or over.created_at)
                    self._origins[part.key] = over.origin

    def note(self, key: str, sent_at: float, room: str) -> None:
        """Record time (the homeserver's, Unix seconds) and room of the message that leads to that key."""
        start = self._clock.now() - (steady() - self._started)
        if sent_at < start:
            self._since[key] = min(sent_at, self._since.get(key, sent_at))
            self._origins.setdefault(key, room)

    def concerns(self, part: Part) -> bool:
        """Whether the part has to be looked for before it is sent."""
        return part.state is PartState.SENDING or part.key in self._since

    async def stands(self, part: Part) -> bool:
        """Whether the part was sent before this start, or that cannot be known now."""
        if part.key not in self._since:
            return False
        try:
            verdict = await self.look(part, attempted=False)
        except MatrixError:
            return True
        return verdict.over or verdict.event_id is not None

    async def look(self, part: Part, *, attempted: bool) -> Verdict:
        """``attempted``: it went out in this life, or right before it, so the room has to be read anew.

        Raises a :class:`~..errors.MatrixError` if the room cannot be read: then nothing is known.
        """
        since = self._since.get(part.key)
        if since is not None:
            room = await self._read(part.room_id, since - SLACK)
            found = room.transactions.get(part.transaction_id) or room.events.get(part.id)
            known = dict(room.events)
            for other in await self._other_rooms(part, since):
                known = {**other.events, **known}
            if found is None and (part.rank == Rank.RESULT or part.kind is Kind.MESSAGE) and part.part not in AGAIN:
                found = known.get(part.id)
            over = part.key not in self._ended and any((part.key, last) in known for last in LAST)
            if found is not None or over:
                self._behind(part)
                return Verdict(event_id=found, over=over)
        if not attempted:
            return Verdict()
        return Verdict(event_id=await self.find(part))

    async def find(self, part: Part) -> str | None:
        """The event of a part that has just been sent, perhaps; ``None`` if it is not in the room. Raises as
        :meth:`look`."""
        return await find_sent(self._http, self._encryption, self._bot, part, self._clock.now())

    async def _other_rooms(self, part: Part, since: float) -> list[_Room]:
        """All rooms except the part's own, from the room of its message to the last replacement: the database may be
        older than the upgrades."""
        found = []
        for name in [*await self._rooms_before(part), *await self._rooms_after(part.room_id)]:
            with suppress(MatrixRefused):  # not visible to the bot
                found.append(await self._read(name, since - SLACK))
        return found

    async def _rooms_before(self, part: Part) -> list[str]:
        """The rooms back to the message's; where that is unknown, all predecessors of the part's room."""
        origin = self._origins.get(part.key, None if part.moved else part.room_id)
        room, names = part.room_id, list[str]()
        while room != origin and len(names) < CHAIN:
            before = await self._predecessor(room) or origin
            if before is None or before in names:
                break
            names.append(room := before)
        return list(dict.fromkeys([*names, origin] if names and origin is not None else names))

    async def _rooms_after(self, room: str) -> list[str]:
        names = [room]
        while len(names) <= CHAIN and (after := await self._successor(names[-1])) and after not in names:
            names.append(after)
        return names[1:]

    async def _predecessor(self, room: str) -> str | None:
        """The predecessor that the room claims. Whether that is true does not matter, since only the bot's own events
        are looked for."""
        if room not in self._predecessors:
            try:
                self._predecessors[room], _made = await self._states.predecessor(room)
            except NotAllowed:
                return None
        return self._predecessors[room]

    async def _successor(self, room: str) -> str | None:
        if room not in self._successors:
            try:
                tombstone = await self._states.tombstone(room)
            except NotAllowed:
                return None
            self._successors[room] = None if tombstone is None else tombstone.replacement
        return self._successors[room]

    def _behind(self, part: Part) -> None:
        if part.state is PartState.READY and not self._warned:
            self._warned = True
            self._log.warning("The database knows less than the rooms (a backup?); what was said there is not repeated")

    async def _read(self, room_id: str, back_to: float) -> _Room:
        room = self._rooms.setdefault(room_id, _Room())
        wanted = {"senders": [self._bot], "types": ["m.room.message", "m.room.encrypted", "m.reaction"]}
        async with room.turn:
            while room.back_to > back_to and room.pages < PAGES:
                events, token = await self._http.messages(room_id, start=room.next, event_filter=wanted)
                for event in events:
                    await self._take(room, event)
                room.next, room.pages = token, room.pages + 1
                room.back_to = 0.0 if token is None else min([room.back_to, *map(seconds, events)])
        return room

    async def _take(self, room: _Room, event: Mapping[str, Any]) -> None:
        event_id = event.get("event_id")
        if event.get("sender") != self._bot or not isinstance(event_id, str):
            return
        unsigned = event.get("unsigned")
        transaction = unsigned.get("transaction_id") if isinstance(unsigned, Mapping) else None
        if isinstance(transaction, str):
            room.transactions[transaction] = event_id  # also where somebody has deleted it since
        try:
            readable = await self._encryption.readable(event)
        except KeyMissing:
            return
        content = readable.get("content") if readable is not None else None
        mark = content.get(OUR_KEY) if isinstance(content, Mapping) else None
        if isinstance(mark, Mapping):
            # Edits have the same mark as the message they edit; the oldest event of a name is the message.
            room.events[str(mark.get("key")), str(mark.get("part"))] = event_id
