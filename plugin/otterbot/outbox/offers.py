"""What the bot offers under a picture: reactions that people only have to click.

The least of all that it sends. They come when nothing else waits, are stored nowhere, and are dropped rather than sent
late: when the homeserver limits the account, while that is not long ago, and when they have waited. So they never take
the place of a result among the events that a homeserver lets through.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from ..matrix import event_content
from ..store.part_names import PartName
from ..store.rows import Kind, Part, Rank
from .entries import Entry

REST = 60.0
"""Seconds without offers after the homeserver has limited the account."""
LATE = 20.0
"""Seconds after which one that still waits is dropped."""


class Rest:
    """When nothing is offered; owned by the outbox. In memory: after a start nothing is known of limits."""

    def __init__(self) -> None:
        self._until = 0.0

    def begin(self) -> None:
        """The homeserver has limited the account."""
        self._until = time.monotonic() + REST

    @property
    def lasts(self) -> bool:
        return time.monotonic() < self._until


def offers(picture: Part, emojis: Iterable[str]) -> list[Part]:
    """The reactions under a picture that stands in its room, in their order. None of them is ever stored."""
    found = []
    for number, emoji in enumerate(emojis):
        name = PartName.offer(picture.part, number)
        content = event_content.reaction(picture.key, name, picture.event_id or "", emoji)
        found.append(
            Part(
                key=picture.key,
                part=name,
                room_id=picture.room_id,
                kind=Kind.REACTION,
                rank=Rank.OFFER,
                content=content,
            )
        )
    return found


def is_offer(entry: Entry) -> bool:
    return entry.part.rank == Rank.OFFER


def is_late(entry: Entry) -> bool:
    return time.monotonic() - entry.since > LATE
