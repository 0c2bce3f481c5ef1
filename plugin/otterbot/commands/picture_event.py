"""Reading one event of a room, and the record of a picture in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import MatrixRefused
from ..matrix.encryption import KeyMissing
from ..matrix.event_content import OUR_KEY
from .services import Services

START_PATIENCE = 3.0
"""Seconds to wait for the room key of a picture's message; later messages of the room wait meanwhile."""


def record_of(event: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The record in a decrypted picture event; untrusted."""
    content = event.get("content") if event is not None else None
    if not isinstance(content, Mapping) or content.get("msgtype") != "m.image":
        return None
    ours = content.get(OUR_KEY)
    record = ours.get("record") if isinstance(ours, Mapping) else None
    return record if isinstance(record, Mapping) else None


async def read_event(
    services: Services, room: str, event_id: str, *, by: str | None = None
) -> Mapping[str, Any] | None:
    """The event, decrypted; ``None`` if nobody can read it or it is not there, or is not by that user: for a key of
    somebody else's message nobody waits then."""
    try:
        raw = await services.http.event(room, event_id)
    except MatrixRefused:  # final: it does not exist, or is not visible to the bot
        return None
    if by is not None and raw.get("sender") != by:
        return None
    try:
        return await services.encryption.readable(raw)
    except KeyMissing as missing:  # the key may still come
        if not await services.encryption.wait_for_key(room, missing.session_id, START_PATIENCE):
            return None
    return await services.encryption.readable(raw)
