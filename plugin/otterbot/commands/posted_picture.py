"""A picture of the bot's as its own event tells of it: whose it is, and which file of the worker's it shows.

The event is read as carefully as everything out of a room, although only the bot can have sent it: it may come from
another version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .. import numeric
from ..matrix.event_content import OUR_KEY
from ..store.part_names import COPIES, PartName
from ..store.rows import Part, PartState, Rank

_KEY = re.compile(r"[0-9a-f]{40}")
_IMAGE = re.compile(r"[\w-]{1,64}")


def mark_of(event: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Our key in the (readable) event of a picture; ``None``: it is none, or a copy of nothing."""
    content = event.get("content") if event is not None else None
    mark = content.get(OUR_KEY) if isinstance(content, Mapping) and content.get("msgtype") == "m.image" else None
    if not isinstance(mark, Mapping) or not isinstance(mark.get("key"), str) or not _KEY.fullmatch(mark["key"]):
        return None
    name = mark.get("part")
    if not isinstance(name, str) or len(name) >= 64:
        return None
    return mark if PartName(name).shows or PartName(name).family == COPIES else None


def picture_in(event: Mapping[str, Any], room: str) -> Part | None:
    """The picture as a part that stands in the room; its time is that of the event. ``None``: it is no picture."""
    mark, event_id = mark_of(event), event.get("event_id")
    if mark is None or not isinstance(event_id, str):
        return None
    image = mark.get("image")
    return Part(
        key=mark["key"],
        part=PartName(mark["part"]),
        room_id=room,
        rank=Rank.RESULT,
        state=PartState.SENT,
        event_id=event_id,
        image_id=image if isinstance(image, str) and _IMAGE.fullmatch(image) else None,
        updated_at=(numeric.number(event.get("origin_server_ts")) or 0.0) / 1000,
    )


def asked_by(event: Mapping[str, Any]) -> str | None:
    """Who asked for it, as the event says; those of older versions do not."""
    mark = mark_of(event)
    by = None if mark is None else mark.get("by")
    return by if isinstance(by, str) and by.startswith("@") and len(by) <= 255 else None
