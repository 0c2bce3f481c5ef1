"""Who hears what becomes of parts, and who is asked about rooms. The outbox is given both when it is built."""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from ..matrix.room_state import Standing, Tombstone
from ..store.rows import Part


class PartListener(Protocol):
    """Implemented by :class:`~..requests.part_events.PartNews`."""

    async def sent(self, part: Part, event_id: str | None) -> None:
        """It stands in its room."""

    async def failed(self, part: Part, reason: str) -> None:
        """It will never be sent. The reason is stored with the part as well: ``not_allowed``, ``too_large``,
        ``upload_refused``, ``cannot_encrypt``, ``missing``, ``gone``, ``refused`` or ``throttled``."""

    async def missing(self, part: Part) -> None:
        """The worker does not have the result any more; :meth:`~.queue.Outbox.rebuild` tries again."""

    async def no_encryption(self, part: Part) -> Part | None:
        """The fixed sentence for the request of that part, stored; ``None`` if it was said already."""


class Following(Enum):
    """How far the way into the room that replaces another has been gone."""

    MOVED = auto()
    NOT_YET = auto()
    """We are not let in, or could not ask."""
    NEVER = auto()
    """That room does not say that it replaces this one."""


class RoomRules(Protocol):
    """Who knows rooms; implemented by :class:`~..inbox.room_upgrades.RoomUpgrades`."""

    async def standing(self, room: str) -> Standing: ...
    async def follow(self, room: str, tombstone: Tombstone) -> Following: ...
    async def banned(self, room: str) -> None: ...
