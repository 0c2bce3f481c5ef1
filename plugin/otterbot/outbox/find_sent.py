"""Looks for a part among the bot's own recent events in its room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import numeric
from ..matrix.encryption import Encryption, KeyMissing
from ..matrix.event_content import OUR_KEY
from ..matrix.http import MatrixHttp
from ..store.rows import Part

PAGES = 20
SLACK = 600.0
"""Tolerated difference between the clocks of bot and homeserver, in seconds."""


async def find_sent(http: MatrixHttp, encryption: Encryption, bot: str, part: Part, now: float) -> str | None:
    """The id of the event that is this part, ``None`` if it is not there. ``now`` is the homeserver's time: what was
    marked after that was marked by a clock that was ahead.

    Goes back to ten minutes before the part was last marked. Raises a
    :class:`~..errors.MatrixError` if the room cannot be read: then nothing is known.
    """
    wanted = {"senders": [bot], "types": ["m.room.message", "m.room.encrypted", "m.reaction"]}
    oldest = (min(part.updated_at, now) - SLACK) * 1000
    start: str | None = None
    for _ in range(PAGES):
        events, start = await http.messages(part.room_id, start=start, event_filter=wanted)
        for event in events:
            if event.get("sender") == bot and await _is_part(encryption, event, part):
                event_id = event.get("event_id")
                return event_id if isinstance(event_id, str) else None
        if start is None or (events and _time(events[-1]) < oldest):
            return None
    return None


def _time(event: Mapping[str, Any]) -> float:
    return numeric.number(event.get("origin_server_ts")) or 0.0


async def _is_part(encryption: Encryption, event: Mapping[str, Any], part: Part) -> bool:
    unsigned = event.get("unsigned")
    if isinstance(unsigned, Mapping) and unsigned.get("transaction_id") == part.transaction_id:
        return True  # a deleted event counts as well
    try:
        readable = await encryption.readable(event)
    except KeyMissing:
        return False
    content = readable.get("content") if readable is not None else None
    mark = content.get(OUR_KEY) if isinstance(content, Mapping) else None
    return isinstance(mark, Mapping) and mark.get("key") == part.key and mark.get("part") == part.part
