"""How much may be asked for here: the operator's limits for a person, a room and all of it, and the room's own.

All of them hold at once, so a room can only tighten what the operator allows. What is counted, and that two requests at
once do not both get the last place, is the store's business: it counts in the transaction that accepts a request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..config import QuotaValues, Values
from ..store.quotas import Quota, Scope
from .permissions import Permissions
from .room_settings import RoomSettings


class Limits:
    """One per plugin instance."""

    def __init__(self, permissions: Permissions, settings: RoomSettings, values: Callable[[], Values]) -> None:
        self._permissions = permissions
        self._settings = settings
        self._values = values

    async def of(self, room: str, sender: str, kind: str) -> tuple[Quota, ...]:
        """What holds for a request of that person; descriptions are not limited.

        Raises :class:`~.permissions.PowerUnknown` where moderators are exempt and the homeserver does not say who is
        one.
        """
        if kind not in ("image", "chat"):
            return ()
        limits = self._values().limits
        whole = _quota(kind, "instance", limits.instance)
        theirs = [
            replace(_quota(kind, "person", limits.person), sender=sender),
            replace(_quota(kind, "room", limits.room), room=room),
        ]
        if kind == "image" and (own := (await self._settings.defaults(room)).per_day) is not None:
            theirs.append(Quota(scope="person_here", kind=kind, sender=sender, room=room, per_day=own))
        theirs = [one for one in theirs if _limits(one)]
        if theirs and limits.exempt_moderators and await self._moderates(room, sender):
            theirs = []
        return tuple(one for one in (*theirs, whole) if _limits(one))

    async def _moderates(self, room: str, sender: str) -> bool:
        return await self._permissions.has_power(room, sender, self._values().power.settings)


def _quota(kind: str, scope: Scope, values: QuotaValues) -> Quota:
    if kind == "chat":
        return Quota(scope=scope, kind=kind, per_day=values.answers_per_day)
    return Quota(scope=scope, kind=kind, per_day=values.per_day, cooldown=values.cooldown_seconds)


def _limits(quota: Quota) -> bool:
    return quota.per_day is not None or bool(quota.cooldown)
