"""How turns of a chat end without an answer: one sentence, in place of the placeholder or as a message of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from .. import texts
from ..matrix import event_content
from ..outbox.queue import Outbox
from ..requests.active import ActiveRequest, RequestEnd
from ..store.part_names import CHAT_END, FINAL, PLACEHOLDER, PartName
from ..store.rows import Kind, Part, PartState, Rank, Request
from ..store.store import Store
from ..worker.jobs import Turn
from .streaming import begun

CANCELLED = "cancelled"


class Endings:
    """Owned by the chats' delivery; keeps nothing."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        related: Callable[[Request], Awaitable[dict[str, Any]]],
        *,
        prefix: Callable[[], str],
    ) -> None:
        """``related``: the relation of a turn's messages, as fields of a content."""
        self._store = store
        self._outbox = outbox
        self._related = related
        self._prefix = prefix

    async def failed(self, active: ActiveRequest, turn: Turn, standing: dict[PartName, Part]) -> RequestEnd:
        if turn.state == CANCELLED:
            return await self.badly(active, CANCELLED, texts.CANCELLED, standing)
        if turn.error is not None:
            text = texts.failed(turn.error)
            seeing = turn.error.details.get("seeing") if turn.error.code == "chat_blind" else None
            if isinstance(seeing, list) and seeing and isinstance(seeing[0], str):
                text = f"{text} {texts.chat_asks_one_that_sees(seeing[0], self._prefix())}"
        elif turn.answered:
            text = texts.CHAT_EMPTY
        elif begun(standing):
            text = texts.CHAT_REST_FORGOTTEN
        else:
            text = texts.CHAT_FORGOTTEN
        return await self.badly(active, "failed", text, standing)

    async def badly(self, active: ActiveRequest, outcome: str, text: str, standing: dict[PartName, Part]) -> RequestEnd:
        """One sentence: in place of the placeholder, or as a message of its own."""
        if "cannot_encrypt" in active.reasons:
            return RequestEnd(outcome=outcome, well=False, line=text)
        content = await event_content.notice(text, active.key, FINAL, None)
        free = standing.get(PartName.answer(1)) is None
        edit = free and await self.placeholder_stands(active, standing)
        if edit:
            content = {"of": PLACEHOLDER, "content": content}
        else:
            content = (
                await event_content.carried_over(content, active.request.sender) if active.request.moved else content
            )
            content |= await self._related(active.request)
        kind = Kind.EDIT if edit else Kind.MESSAGE
        part = Part(
            key=active.key, part=FINAL, room_id=active.request.room_id, kind=kind, rank=Rank.REFUSAL, content=content
        )
        return RequestEnd(outcome=outcome, well=False, line=text, parts=[part])

    async def placeholder_stands(self, active: ActiveRequest, standing: dict[PartName, Part]) -> bool:
        """In the room, or on its way beyond recall."""
        part = standing.get(PLACEHOLDER)
        if part is None or part.state in (PartState.FAILED, PartState.DROPPED):
            return False
        if part.room_id != active.request.room_id:
            return False  # it was being sent when its room was closed
        return not (part.state is PartState.READY and await self._outbox.withdraw(active.key, PLACEHOLDER))

    async def show(self, active: ActiveRequest, ending: RequestEnd) -> None:
        """Cancelled, refused or expired: the placeholder does not go on promising an answer."""
        standing = await self._store.parts_of(active.key)
        final = standing.get(FINAL)
        replaced = _stays(standing) or (final is not None and final.kind is Kind.EDIT)
        if replaced or not await self.placeholder_stands(active, standing):
            return
        content = await event_content.notice(ending.line, active.key, CHAT_END, None)
        inner = {"of": PLACEHOLDER, "content": content}
        await self._outbox.post(
            Part(
                key=active.key,
                part=CHAT_END,
                room_id=active.request.room_id,
                kind=Kind.EDIT,
                rank=Rank.REFUSAL,
                content=inner,
            )
        )


def _stays(standing: dict[PartName, Part]) -> bool:
    """Does the answer stand in the room, and is it not taken back?"""
    first = standing.get(PartName.answer(1))
    return first is not None and first.state is PartState.SENT and PartName.answer(1).unsend() not in standing
