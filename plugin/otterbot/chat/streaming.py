"""A chat answer while it grows: a placeholder after a few seconds, then edits with restraint."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .. import texts
from ..config import Values
from ..outbox.queue import Outbox
from ..requests.active import BLINK, ActiveRequest, WorkerState, rest_of
from ..requests.status_line import compose
from ..store.part_names import CHAT_EDIT, PLACEHOLDER, PartName
from ..store.rows import Part, PartState, Rank
from ..store.store import Store
from ..waiting import news
from . import formatting, pieces
from .answer_parts import Said
from .formatting import Made

NEWS, AWAY_NEWS = 10.0, 2.0
"""Seconds after which the state is looked at anew, also without news; the latter while the worker is away."""
STEP, MORE = 60, 2.5
"""Characters by which an answer has to have grown for its second edit, and how many times as many for each that
follows. So one of 1,000 tokens takes no more than a dozen events, at whatever pace it is written, and a short one grows
all the same."""
TOGETHER = 0.15
"""Seconds that first words wait for more: an answer that is whole by then comes in one piece."""
UNSENT = 0.1
"""Seconds after which a message that grows by edits is looked for again."""
SETTLED = BLINK + 0.2
"""Seconds after a start within which the worker would have been heard of."""


@dataclass(eq=False, kw_only=True)
class Growing:
    """What is known of an open turn beside its `ActiveRequest`."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Either the growing text is shown or the final one is put in its place."""
    finishing: bool = False
    waiting: bool = False
    """Another turn of the conversation comes first."""
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the worker begins, ends or interrupts it: for the typing notice."""
    shown: Shown | None = None
    made: tuple[Said, Made] | None = None
    """The answer's contents, and what they were made of."""

    def over(self, active: ActiveRequest) -> bool:
        """Nothing more is to be shown of it."""
        return self.finishing or not active.open


@dataclass(frozen=True)
class Shown:
    """What there is to show of a turn."""

    answer: str
    """What has come of it."""
    note: str
    """A sentence of ours: why nothing has come, or why nothing more comes now."""

    def content(self, key: str) -> dict[str, Any]:
        if self.answer:
            return formatting.growing(self.answer, key, CHAT_EDIT, note=self.note)
        return formatting.message(self.note, key, CHAT_EDIT, length=0)


def shown_now(active: ActiveRequest, chat: Growing, state: WorkerState) -> Shown:
    now = time.monotonic()
    answer = active.chat_text if active.chat_text.strip() else ""
    if chat.waiting and state.away_since is None:
        return Shown(answer, texts.CHAT_WAITS)
    stopped = state.is_away(now) or (active.job is not None and active.job.state == "queued")
    return Shown(answer, compose(active, state, now) if stopped or not answer else "")


async def show(
    active: ActiveRequest,
    chat: Growing,
    outbox: Outbox,
    store: Store,
    state: WorkerState,
    values: Callable[[], Values],
) -> None:
    """Runs as one task until the answer is there; cancelled with the request.

    The first words of an answer come at once, whatever is still to be waited for; from then on it grows by edits.
    """
    await _first_words(active, rest_of(values().chat.placeholder_after, active.request, store.clock.now()))
    pause = values().chat.edit_seconds
    async with chat.lock, active.saying:
        if chat.over(active) or active.ending:
            return
        moved = active.request.moved
        placeholder = Part(
            key=active.key, part=PLACEHOLDER, room_id=active.request.room_id, rank=Rank.STATUS, moved=moved
        )
        standing = await store.parts_of(active.key)
        if begun(standing):
            return
        if PLACEHOLDER in standing:
            # From before a start. It may show half an answer: nobody takes that away for a mere "passing it on".
            pause = SETTLED
            active.changed.set()
        else:
            await outbox.post(placeholder)
    edits, growths, visible, note = 0, 0, "", ""
    while not chat.over(active):
        if not visible and chat.shown is not None and chat.shown.answer:
            visible, growths = (await asyncio.to_thread(pieces.beginning, chat.shown.answer))[0], 1
        await _news(active, state, pause, silent=not visible)
        pause = values().chat.edit_seconds
        now = shown_now(active, chat, state)
        if now == chat.shown or edits >= values().chat.max_edits:
            continue
        visible_now, _more = await asyncio.to_thread(pieces.beginning, now.answer)
        if now.note == note and not _is_worth_it(visible_now, visible, growths):
            continue
        standing = await store.parts_of(active.key)
        target = standing.get(PLACEHOLDER)
        if begun(standing) or target is None or target.state in (PartState.FAILED, PartState.DROPPED):
            return
        if target.state is not PartState.SENT or target.event_id is None:
            active.changed.set()  # the placeholder still waits for the homeserver
            await asyncio.sleep(UNSENT)
            continue
        content = await asyncio.to_thread(now.content, active.key)
        async with chat.lock:
            if chat.over(active):
                return
            outbox.edit(active.key, CHAT_EDIT, active.request.room_id, target.event_id, content)
        growths += bool(visible_now) and visible_now != visible
        chat.shown, edits, visible, note = now, edits + 1, visible_now, now.note


def _is_worth_it(now: str, before: str, growths: int) -> bool:
    """Is there so much more to read that it is worth an event? ``growths``: how often there was."""
    if now == before or not now:
        return False
    needed = STEP * MORE ** (growths - 1) if growths else 0
    return len(now) < len(before) or len(now) - len(before) >= needed


async def _news(active: ActiveRequest, state: WorkerState, pause: float, *, silent: bool) -> None:
    """After a pause, which first words (``silent``: none of the answer is shown) cut short."""
    if silent and await _first_words(active, pause):
        return
    if not silent:
        await asyncio.sleep(pause)
    await news(active.changed, NEWS if state.away_since is None else AWAY_NEWS)
    active.changed.clear()


async def _first_words(active: ActiveRequest, seconds: float) -> bool:
    """Wait until something of the answer has come, at most so long; has it?"""
    ends = time.monotonic() + seconds
    while not active.chat_text.strip():
        if (left := ends - time.monotonic()) <= 0:
            return False
        await news(active.changed, left)
        active.changed.clear()
    await asyncio.sleep(TOGETHER)
    return True


def begun(standing: dict[PartName, Part]) -> bool:
    """Does a piece of the finished answer stand in the room, or may it?"""
    pieces = [part for name, part in standing.items() if name.piece > 0]
    return any(part.state in (PartState.SENT, PartState.SENDING) for part in pieces)
