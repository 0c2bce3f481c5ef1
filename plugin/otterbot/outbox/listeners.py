"""Interfaces that the outbox calls: for the results of parts, and for rules about rooms."""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from ..matrix.room_state import Standing, Tombstone
from ..store.rows import Part


class PartListener(Protocol):
    """Implemented by :class:`~..requests.part_events.PartNews`."""

    async def sent(self, part: Part, event_id: str | None) -> None:
        """The part is in its room."""

    async def failed(self, part: Part, reason: str) -> None:
        """It will never be sent. The reason is stored with the part as well: ``not_allowed``, ``too_large``,
        ``upload_refused``, ``cannot_encrypt``, ``missing``, ``gone``, ``refused`` or ``throttled``."""

    async def missing(self, part: Part) -> None:
        """The worker does not have the result any more; :meth:`~.queue.Outbox.rebuild` retries."""

    async def no_encryption(self, part: Part) -> Part | None:
        """Store the fixed sentence about encryption for the part's request; ``None`` if it was already sent."""


class Following(Enum):
    """The state of following a room upgrade."""

    MOVED = auto()
    NOT_YET = auto()
    """The bot is not let in, or could not ask."""
    NEVER = auto()
    """The new room does not name this one as its predecessor."""


class RoomRules(Protocol):
    """Rules about rooms; implemented by :class:`~..inbox.room_upgrades.RoomUpgrades`."""

    async def standing(self, room: str) -> Standing: ...
    async def follow(self, room: str, tombstone: Tombstone) -> Following: ...
    async def banned(self, room: str) -> None: ...
