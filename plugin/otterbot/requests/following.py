"""What follows from a request once its picture stands in the room: the next one that was chosen, or that one larger.

It is stored with the request (``then`` of its body), so it survives whatever dies in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..store.part_names import PartName
from ..store.quotas import Follow
from ..store.rows import Part, PartState, Request, follow_key

CHOSEN = "$chosen"
"""In a body that follows, in place of an event: the picture that was drawn before it."""


def loses(request: Request) -> bool:
    """Whether something else was to follow from it."""
    return isinstance((request.body or {}).get("then"), Mapping)


def follows(request: Request, standing: Mapping[PartName, Part], now: float) -> Follow | None:
    """The request that follows from this one; ``None``: none, or it needs a picture that has not come."""
    then = (request.body or {}).get("then")
    if not isinstance(then, Mapping):
        return None
    first = standing.get(PartName.picture(0))
    event = first.event_id if first is not None and first.state is PartState.SENT else None
    body: dict[str, Any] = dict(then.get("body") or {})
    for name, place in body.items():
        if isinstance(place, Mapping) and place.get("event") == CHOSEN:
            if event is None:
                return None
            body[name] = {**place, "event": event} | ({"room": request.room_id} if request.moved else {})
    following = Request(
        key=follow_key(request.key),
        room_id=request.room_id,
        event_id=request.event_id,
        edit_id=request.edit_id,
        sender=request.sender,
        kind="image",
        body=body,
        asked=dict(then.get("asked") or {}),
        notes=tuple(then.get("notes") or ()),
        private=request.private,
        thread_root=request.thread_root,
        reply_to=request.reply_to,
        reaction=request.reaction,
        asked_in=request.asked_in,
        sent_at=request.sent_at,
        created_at=now,
        expires_at=now + max(0.0, request.expires_at - request.created_at),
    )
    return Follow(request=following)
