"""Who runs the client's sync, and what a sync answer holds for us.

Full Maubot throws away the first sync after each of its starts, with the room keys in it. So the
client is set to ``sync: false`` and the plugin starts the sync, when it is ready.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import numeric
from .queues import Raw

if TYPE_CHECKING:
    from maubot.client import Client as MaubotClient
    from mautrix.client import Client

TIMELINE = frozenset({"m.room.message", "m.room.encrypted", "m.room.redaction"})
LEFT = ("leave", "ban")
"""Memberships of those who are not in a room any more."""


def owner_of(client: Client) -> MaubotClient | None:
    """Maubot's entry of this account; ``None`` in standalone Maubot."""
    from maubot.client import Client as MaubotClient

    return MaubotClient.cache.get(client.mxid)


def by_maubot(client: Client) -> bool:
    """Maubot syncs this client itself, and loses what came while it was off."""
    owner = owner_of(client)
    return client.ignore_first_sync if owner is None else owner.sync


def ended(client: Client) -> bool:
    """Somebody has stopped the sync. (One that a fatal error ended is begun again by :mod:`.events`, later.)"""
    return owner_of(client) is not None and client.syncing_task is None


def take_over(client: Client) -> bool:
    """Start the sync if it does not run; false if Maubot syncs and may lose what came meanwhile."""
    owner = owner_of(client)
    if owner is None:
        return not by_maubot(client)  # standalone Maubot starts it, and can be told to lose nothing
    running = client.syncing_task is not None and not client.syncing_task.done()
    if not running:
        if not owner.sync:
            client.ignore_first_sync = False
        if not owner.sync and len(owner.references) <= 1:
            # Room keys and invitations of the time before would be lost with the initial one. Old
            # messages do no harm here, but other plugins on this account would answer them.
            client.ignore_initial_sync = False
        client.start(owner.filter_id)
    return not owner.sync


def ready(client: Client) -> bool:
    """Whether Maubot has started the client: its homeserver answered, and its encryption is loaded.

    An instance may be started before (a plugin that is uploaded while the homeserver is away). Syncing with encryption
    that is not loaded would lose room keys, and sending with it fails.
    """
    owner = owner_of(client)
    loaded = client.crypto is None or client.crypto.account is not None
    return loaded and (owner is None or owner.started)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _events(section: Any) -> Iterator[dict[str, Any]]:
    events = _mapping(section).get("events")
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict):
            yield event


class SyncAnswer:
    """A ``/sync`` answer, read without trusting it."""

    def __init__(self, data: Any) -> None:
        rooms = _mapping(_mapping(data).get("rooms"))
        self._joined = _mapping(rooms.get("join"))
        self._invited = _mapping(rooms.get("invite"))
        self._left = _mapping(rooms.get("leave"))
        self._to_device = _mapping(data).get("to_device")

    def to_device(self) -> Iterator[Raw]:
        """What was sent to this device alone, as it came (room keys are still encrypted)."""
        return _events(self._to_device)

    def rooms(self) -> list[str]:
        return list(self._joined)

    def left(self) -> list[str]:
        """Rooms that we are not in any more, or whose invitation is gone."""
        return list(self._left)

    def limited(self, room: str) -> bool:
        """Events between the last answer and this one are missing."""
        return bool(_mapping(_mapping(self._joined.get(room)).get("timeline")).get("limited"))

    def state(self, room: str) -> Iterator[Raw]:
        """State events of that room, in order, wherever in the answer they stand."""
        found = _mapping(self._joined.get(room) or self._left.get(room))
        for section in ("state", "timeline"):
            for event in _events(found.get(section)):
                if "state_key" in event:
                    yield event

    def before(self, room: str) -> Iterator[Raw]:
        """State of that room before its timeline."""
        yield from _events(_mapping(self._joined.get(room)).get("state"))

    def timeline(self, room: str) -> list[Raw]:
        """What was said and done there, in order. Copies: mautrix writes into the originals."""
        events = _events(_mapping(self._joined.get(room)).get("timeline"))
        return [{**copy.deepcopy(event), "room_id": room} for event in events]

    def invites(self, user: str) -> Iterator[tuple[str, str]]:
        """Rooms to which ``user`` is invited, and by whom."""
        for room, invited in self._invited.items():
            for event in _events(_mapping(invited).get("invite_state")):
                sender = event.get("sender")
                if membership_of(event, user) == "invite" and isinstance(sender, str):
                    yield room, sender


def membership_of(event: Raw, user: str) -> str | None:
    """The membership that a state event gives to ``user``."""
    if event.get("type") != "m.room.member" or event.get("state_key") != user:
        return None
    membership = _mapping(event.get("content")).get("membership")
    return membership if isinstance(membership, str) else None


def before(event: Raw) -> str | None:
    """The membership that a membership event replaces; ``None`` where it does not say."""
    old = _mapping(_mapping(event.get("unsigned")).get("prev_content")) or _mapping(event.get("prev_content"))
    membership = old.get("membership")
    return membership if isinstance(membership, str) else None


def joins(event: Raw, user: str) -> bool:
    """``user`` comes into the room with it (and did not only change a name)."""
    return membership_of(event, user) == "join" and before(event) != "join"


def seconds(event: Raw) -> float:
    """``origin_server_ts`` as Unix time; 0 if there is none."""
    return (numeric.whole(event.get("origin_server_ts")) or 0) / 1000
