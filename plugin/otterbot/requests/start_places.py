"""Where the picture that a request begins with stands: an event of a room, named in the request's stored body. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..store.rows import Request


def start_event(body: Mapping[str, Any] | None) -> str | None:
    """The event of a stored request's init image, of its ControlNet picture, or of the picture that it describes; it
    never has two of them."""
    event = _start(body).get("event")
    return event if isinstance(event, str) else None


def start_room(body: Mapping[str, Any] | None) -> str | None:
    """The room of that event; ``None``: that of the message which asks."""
    room = _start(body).get("room")
    return room if isinstance(room, str) else None


def _start(body: Mapping[str, Any] | None) -> Mapping[str, Any]:
    for name in ("init_image", "control", "picture"):
        start = body.get(name) if body is not None else None
        if isinstance(start, Mapping) and isinstance(start.get("event"), str):
            return start
    return {}


def start_fields(request: Request) -> dict[str, Any]:
    """For our key in a picture's event: the event of its input picture, so that it can be drawn again."""
    event = start_event(request.body)
    return {} if event is None else {"start": event}
