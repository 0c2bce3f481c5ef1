"""Pictures of a conversation on their way to the worker: the newest of them, as far as they can be had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import texts
from ..errors import MatrixRefused
from ..requests.active import CannotAsk
from ..requests.input_images import Starts
from ..store.rows import Request
from ..worker.client import WorkerClient

FEATURE = "chat_pictures"
MOST = 8
"""Of a conversation; the worker shows no more to a model."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """``messages`` with the ids of their pictures; ``notes`` are sentences for people about those that are missing."""

    messages: list[dict[str, Any]]
    notes: tuple[str, ...] = ()


async def shown(request: Request, messages: Sequence[dict[str, Any]], starts: Starts, worker: WorkerClient) -> Shown:
    """``messages``: with the events of their pictures. Raises what the worker and the homeserver raise for now."""
    if not any("pictures" in message for message in messages):
        return Shown(messages=list(messages))
    knows = FEATURE in (await worker.info(60.0)).features
    newest_first, left, missing = list[dict[str, Any]](), MOST if knows else 0, False
    for message in reversed(messages):
        ids: list[str] = []
        for event_id in reversed(message.get("pictures", ())):
            if left <= 0:
                break
            left -= 1
            try:
                ids.insert(0, await starts.shown(request, event_id))
            except (CannotAsk, MatrixRefused):
                missing = True
        plain = {name: value for name, value in message.items() if name != "pictures"}
        newest_first.append(plain | ({"pictures": ids} if ids else {}))
    notes = [texts.CHAT_PICTURE_MISSING] if missing else []
    if not knows and "pictures" in messages[-1]:
        notes.append(texts.CHAT_PICTURES_OLD_WORKER)
    return Shown(messages=newest_first[::-1], notes=tuple(notes))
