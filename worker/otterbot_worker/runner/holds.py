"""Obstacles: why pictures or turns cannot run now, and until when they are not tried."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..archive import Archive
from ..queue.model import Kind

NO_ROOM = "The disk is nearly full; pictures wait until there is room."


@dataclass(frozen=True, kw_only=True)
class _Hold:
    reason: str
    until: float
    disk: bool = False
    """The reason is a full disk, which may have changed by now."""


class Holds:
    """Owned by the dispatcher."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._holds: dict[Kind, _Hold] = {}

    def hold(self, kind: Kind, reason: str, seconds: float, *, disk: bool = False) -> None:
        self._holds[kind] = _Hold(reason=reason, until=time.monotonic() + seconds, disk=disk)

    def now(self, full_disk_seconds: float) -> frozenset[Kind]:
        """Which kinds cannot run now; where the disk has no room, pictures wait for that many seconds."""
        now = time.monotonic()
        for kind in [kind for kind, hold in self._holds.items() if hold.until <= now]:
            del self._holds[kind]
        if "image" not in self._holds and not self._has_room():
            self.hold("image", self._archive.no_room() or NO_ROOM, full_disk_seconds, disk=True)
        return frozenset(self._holds)

    def _has_room(self) -> bool:
        try:
            return self._archive.has_room()
        except OSError:
            return False

    @property
    def reasons(self) -> dict[Kind, str]:
        """The reasons as sentences. The disk is looked at anew, as it is for new requests."""
        found = {kind: hold.reason for kind, hold in self._holds.items() if not hold.disk}
        if not self._archive.has_room():
            found["image"] = self._archive.no_room() or NO_ROOM
        return found

    @property
    def moments(self) -> list[float]:
        """When the holds end, by ``time.monotonic``."""
        return [hold.until for hold in self._holds.values()]
