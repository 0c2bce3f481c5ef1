"""A chat answer while it grows: a placeholder after a few seconds, then edits with restraint."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import chat_format, texts
from .config import Values
from .live import Live, WorkerState
from .outbox import Outbox
from .records import Part, PartState, Rank
from .status import compose
from .store import Store
from .waiting import news
from .worker_types import ChatResult

PLACEHOLDER = "chat/0"
GROWING = "chat/edit"
"""The part that volatile edits name: never that of a message that is looked for."""
NEWS = 10.0
"""Seconds after which the state is looked at anew, also without news."""


@dataclass(eq=False, kw_only=True)
class Growing:
    """What is known of an open turn beside its `Live`."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Either the growing text is shown or the final one is put in its place."""
    finishing: bool = False
    waiting: bool = False
    """Another turn of the thread comes first."""
    shown: str = ""
    pieces: tuple[ChatResult, list[dict[str, Any]]] | None = None
    """The answer's contents, made from this result."""


async def show(
    live: Live,
    chat: Growing,
    outbox: Outbox,
    store: Store,
    state: WorkerState,
    values: Callable[[], Values],
) -> None:
    """Runs as one task until the answer is there; cancelled with the request."""
    await asyncio.sleep(max(0.0, live.request.created_at + values().chat.placeholder_after - time.time()))
    async with chat.lock:
        if _over(live, chat):
            return
        placeholder = Part(key=live.key, part=PLACEHOLDER, room_id=live.request.room_id, rank=Rank.STATUS)
        standing = await store.parts_of(live.key)
        if not any(number_of(name) > 0 for name in standing) and PLACEHOLDER not in standing:
            await outbox.post(placeholder)
    edits = 0
    while not _over(live, chat):
        await _news(live, values().chat.edit_seconds)
        now = text_now(live, chat, state)
        if now == chat.shown or edits >= values().chat.max_edits:
            continue
        target = await store.part(live.key, PLACEHOLDER)
        if target is None or target.state in (PartState.FAILED, PartState.DROPPED):
            return
        if target.state is not PartState.SENT or target.event_id is None:
            live.changed.set()  # the placeholder still waits for the homeserver
            continue
        content = await asyncio.to_thread(content_now, live, now)
        async with chat.lock:
            if _over(live, chat):
                return
            outbox.edit(live.key, GROWING, live.request.room_id, target.event_id, content)
        chat.shown, edits = now, edits + 1


async def _news(live: Live, pause: float) -> None:
    await asyncio.sleep(pause)
    await news(live.changed, NEWS)
    live.changed.clear()


def text_now(live: Live, chat: Growing, state: WorkerState) -> str:
    """What there is to show: what has come of the answer, or why nothing has."""
    if live.chat_text.strip():
        return live.chat_text
    if chat.waiting and state.away_since is None:
        return texts.CHAT_WAITS
    return compose(live, state, time.monotonic())


def content_now(live: Live, text: str) -> dict[str, Any]:
    """The content that shows ``text``, an answer that grows or a sentence of ours."""
    if text == live.chat_text:
        return chat_format.growing(text, live.key, GROWING)
    return chat_format.message(text, live.key, GROWING, length=0)


def _over(live: Live, chat: Growing) -> bool:
    """Nothing more is to be shown of it."""
    return chat.finishing or not live.open


def number_of(name: str) -> int:
    """``chat/2`` → 2; −1 for every other part."""
    kind, _, number = name.partition("/")
    return int(number) if kind == "chat" and number.isdecimal() else -1
