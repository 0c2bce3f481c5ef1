"""Room upgrades: settings of the predecessor apply in the new room.

A room's create event names the room that it replaces. That is believed only if the tombstone of that room names this
one: anybody can make a room that claims to replace another. Failed queries are repeated, and until the predecessor is
known the safety checker is on.
"""

from __future__ import annotations

import asyncio
import logging
from weakref import WeakValueDictionary

from .. import texts
from ..errors import MatrixError, NotAllowed
from ..matrix import event_content
from ..matrix.room_state import RoomStates
from ..outbox.queue import Outbox
from ..store.part_names import SETTINGS
from ..store.rows import Part, Rank, key_of
from ..store.store import Store

SAFE = "safe"
"""The room's setting that only restricts: whether a safety checker looks at its pictures."""
YOUNG = 600.0
"""Seconds after a room was made within which its predecessor's tombstone may still come (from another homeserver)."""
CHAIN = 30
"""How many upgrades are followed back."""
TRIES = (0.3, 0.7, 1.5)
"""Seconds between tries while a command waits for the answer."""


class Predecessors:
    """One per plugin instance. Results are stored in the database."""

    def __init__(self, store: Store, states: RoomStates, outbox: Outbox, bot: str, log: logging.Logger) -> None:
        self._store = store
        self._states = states
        self._outbox = outbox
        self._bot = bot
        self._log = log
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def settled(self, room: str) -> bool:
        """What holds in the room before holds here now; false if that cannot be known yet."""
        try:
            await self.of(room)
        except MatrixError as error:
            self._log.warning("A room's predecessor is not known yet: %s", type(error).__name__)
            return False
        return True

    async def of(self, room: str) -> str | None:
        """The room that this one replaces, checked; its settings are this room's by then.

        Raises a :class:`~..errors.MatrixError` if it cannot be known now.
        """
        known = await self._store.predecessor(room)
        if known is not None:
            return known or None
        for wait in (*TRIES, None):
            try:
                return await self._find(room, CHAIN)
            except MatrixError:
                if wait is None:
                    raise
                await asyncio.sleep(wait)
        return None

    async def follows(self, room: str) -> bool:
        """Whether the room replaces one that the bot was in. Raises as :meth:`of`."""
        before = await self.of(room)
        return before is not None and await self._store.was_in(before)

    async def _find(self, room: str, left: int) -> str | None:
        known = await self._store.predecessor(room)
        if known is not None:
            return known or None
        lock = self._locks.setdefault(room, asyncio.Lock())
        async with lock:
            known = await self._store.predecessor(room)
            return await self._look(room, left) if known is None else (known or None)

    async def _look(self, room: str, left: int) -> str | None:
        try:
            claimed, made = await self._states.predecessor(room)
        except NotAllowed:
            return None  # not visible to the bot: the chain ends here
        if claimed is None or claimed == room or left == 0:
            if made:
                await self._store.inherit(room, "", {}, None)
            return None
        named, sure = await self._named_by(claimed, room)
        if named:
            await self._find(claimed, left - 1)
            await self._take_over(room, claimed)
            return claimed
        if not sure:
            # The old room cannot be read. Only the setting that restricts is taken over.
            await self._take_over(room, claimed, only=SAFE)
        elif self._age(made) > YOUNG:
            await self._store.inherit(room, "", {}, None)
        return None

    async def _named_by(self, old: str, room: str) -> tuple[bool, bool]:
        """Does the old room's tombstone name this one, and if not, is that sure? What we see of a room that we have
        left is how it was then."""
        try:
            tombstone = await self._states.tombstone(old)
        except NotAllowed:
            return False, False
        if tombstone is not None:
            return tombstone.replacement == room, True
        return False, await self._states.joined(old)

    async def _take_over(self, room: str, old: str, only: str | None = None) -> None:
        own, before = await self._store.room_settings(room), await self._store.room_settings(old)
        came = {name: value for name, value in before.items() if name not in own}
        if only is not None:
            came = {name: value for name, value in came.items() if (name, value) == (only, "on")}
        styles = 0 if only is not None else len(await self._store.styles(old))
        part: Part | None = None
        if came or styles:
            key = key_of(self._bot, room, "upgrade")
            content = await event_content.notice(texts.settings_came_along(came, styles), key, SETTINGS, None)
            part = Part(key=key, part=SETTINGS, room_id=room, rank=Rank.REFUSAL, content=content)
        if await self._store.inherit(room, old if only is None else "", came, part) and part is not None:
            self._outbox.enqueue([part])

    def _age(self, made: float) -> float:
        return self._store.clock.now() - made
