"""Turns of a chat: an answer that grows in its place, and stands there whole in the end, once.

Parts of a request::

    chat/0        the placeholder, after a few seconds without an answer; volatile edits show what has come
    chat/1        the answer's first piece: an edit of the placeholder, or a message where there is none
    chat/2 … n    further pieces of a long answer, each begun when the one before it stands
    final         instead: one sentence that says why there is no answer

No text is stored: pieces are made from the worker's result, the same every time, whenever they are sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .. import texts
from ..config import Values
from ..errors import WorkerRefused
from ..matrix import event_content
from ..outbox.queue import Outbox
from ..requests.active import CannotAsk, Ending, Live, WorkerState
from ..store.part_names import CHAT_EDIT, CHAT_END, FINAL, PLACEHOLDER, PartName
from ..store.rows import Kind, Part, PartState, Rank, Request
from ..store.store import Store
from ..worker.client import WorkerClient
from ..worker.job_events import ChatEvent
from ..worker.jobs import ChatResult, Turn
from . import formatting, streaming
from .history import History
from .streaming import Growing, begun
from .typing_notice import Typing

SUCCEEDED = "succeeded"
OVER = (PartState.SENT, PartState.FAILED, PartState.DROPPED)


class Chats:
    """The kind ``chat`` of :class:`~..requests.active.Kind`, and the builder of parts ``chat/k``."""

    own_status = True

    def __init__(
        self,
        store: Store,
        worker: WorkerClient,
        outbox: Outbox,
        history: History,
        state: WorkerState,
        typing: Typing,
        values: Callable[[], Values],
    ) -> None:
        self._store = store
        self._worker = worker
        self._outbox = outbox
        self._history = history
        self._state = state
        self._typing = typing
        self._values = values
        self._chats: dict[str, Growing] = {}
        self._lives: dict[str, Live] = {}

    # -- asking ------------------------------------------------------------------------------

    def begin(self, live: Live) -> None:
        """Also after a start: what stands in the room says how it is now, worker or not."""
        self._follow(live)

    async def body(self, live: Live) -> dict[str, object] | None:
        """The conversation, read from the room; ``None`` while an earlier turn of the conversation goes on."""
        chat = self._follow(live)
        standing = await self._store.parts_of(live.key)
        if begun(standing):
            # The worker forgot the answer between two of its pieces; another one would not fit on to the first.
            live.relation = (await self._related(live.request)).get("m.relates_to")
            raise CannotAsk(texts.CHAT_REST_FORGOTTEN)
        chat.waiting = await self._others_first(live.request)
        live.changed.set()
        if chat.waiting:
            return None
        conversation = await self._history.conversation(live.request)
        if conversation.notes != live.request.notes:
            await self._store.set_notes(live.key, conversation.notes)
            live.request = replace(live.request, notes=conversation.notes)
        body: dict[str, object] = {"messages": conversation.messages}
        model = live.request.asked.get("model") or self._values().chat.model
        return {**body, "model": model} if model else body

    def mend(self, live: Live, refusal: WorkerRefused) -> bool:
        return False

    async def _others_first(self, request: Request) -> bool:
        """Is an earlier turn of the same thread still open? Asked by all that wait whenever one ends: from memory."""
        root = await self._history.root_of(request)
        for other in [live.request for live in self._lives.values() if live.open]:
            earlier = (other.created_at, other.key) < (request.created_at, request.key)
            if earlier and other.room_id == request.room_id and await self._history.root_of(other) == root:
                return True
        return False

    # -- while it grows ----------------------------------------------------------------------

    def _follow(self, live: Live) -> Growing:
        """Begin to show a turn, wherever its first sign of life came from."""
        self._lives[live.key] = live
        chat = self._chats.get(live.key)
        if chat is None or (chat.finishing and (live.job is None or not live.job.final)):
            chat = self._chats[live.key] = Growing()
            show = streaming.show(live, chat, self._outbox, self._store, self._state, self._values)
            live.spawn(asyncio.create_task(show, name="otterbot chat"))
            types = self._typing.during(live, chat.moved, lambda: chat.over(live))
            live.spawn(asyncio.create_task(types, name="otterbot typing"))
        return chat

    async def on_chat(self, live: Live, event: ChatEvent) -> None:
        self._follow(live)

    # -- the end -----------------------------------------------------------------------------

    async def on_job(self, live: Live) -> Ending | None:
        job = live.job
        chat = self._follow(live)
        chat.moved.set()
        if job is None or not job.final:
            return None
        async with chat.lock:
            chat.finishing = True
            chat.moved.set()
            self._outbox.drop_edit(live.key, CHAT_EDIT)
            standing = await self._store.parts_of(live.key)
            turn = job.turn or Turn(state=job.state)
            if turn.state == SUCCEEDED and turn.result is not None:
                pieces = await self._pieces(chat, turn.result, live.request)
                if pieces:
                    return await self._deliver(live, len(pieces), standing)
            return await self._failed(live, turn, standing)

    async def _pieces(self, chat: Growing, result: ChatResult, request: Request) -> list[dict[str, Any]]:
        made_of = result, request.moved
        if chat.pieces is None or chat.pieces[0] != made_of:
            notes = [*request.notes, *result.notes, *([] if result.complete else [texts.CHAT_BROKE_OFF])]
            notes += [texts.asked_in_the_room_before(request.sender)] if request.moved else []
            made = await asyncio.to_thread(formatting.answer, result.text.strip(), notes, request.key)
            chat.pieces = made_of, made
        return chat.pieces[1]

    async def _deliver(self, live: Live, count: int, standing: dict[PartName, Part]) -> Ending | None:
        """The next piece, if the ones before it stand in the room; the ending when all do."""
        for number in range(1, count + 1):
            name = PartName.answer(number)
            part = standing.get(name)
            if part is None:
                edit = number == 1 and await self._placeholder_stands(live, standing)
                kind = Kind.EDIT if edit else Kind.MESSAGE
                await self._outbox.post(
                    Part(key=live.key, part=name, room_id=live.request.room_id, kind=kind, rank=Rank.RESULT)
                )
                return None
            if part.state not in OVER:
                self._outbox.rebuild(live.key, name)
                return None
            if part.state is not PartState.SENT:
                return await self._end_badly(live, "failed", texts.CHAT_NOT_POSTED, standing)
        return Ending(outcome=SUCCEEDED, well=True, line="")

    async def _failed(self, live: Live, turn: Turn, standing: dict[PartName, Part]) -> Ending:
        if turn.state == "cancelled":
            return await self._end_badly(live, "cancelled", texts.CANCELLED, standing)
        if turn.error is not None:
            text = texts.failed(turn.error)
        elif turn.answered:
            text = texts.CHAT_EMPTY
        elif begun(standing):
            text = texts.CHAT_REST_FORGOTTEN
        else:
            text = texts.CHAT_FORGOTTEN
        return await self._end_badly(live, "failed", text, standing)

    async def _end_badly(self, live: Live, outcome: str, text: str, standing: dict[PartName, Part]) -> Ending:
        """One sentence: in place of the placeholder, or as a message of its own."""
        if "cannot_encrypt" in live.reasons:
            return Ending(outcome=outcome, well=False, line=text)
        content = await event_content.notice(text, live.key, FINAL, None)
        free = standing.get(PartName.answer(1)) is None
        edit = free and await self._placeholder_stands(live, standing)
        if edit:
            content = {"of": PLACEHOLDER, "content": content}
        else:
            content = await event_content.carried_over(content, live.request.sender) if live.request.moved else content
            content |= await self._related(live.request)
        kind = Kind.EDIT if edit else Kind.MESSAGE
        part = Part(
            key=live.key, part=FINAL, room_id=live.request.room_id, kind=kind, rank=Rank.REFUSAL, content=content
        )
        return Ending(outcome=outcome, well=False, line=text, parts=[part])

    async def _placeholder_stands(self, live: Live, standing: dict[PartName, Part]) -> bool:
        """In the room, or on its way beyond recall."""
        part = standing.get(PLACEHOLDER)
        if part is None or part.state in (PartState.FAILED, PartState.DROPPED):
            return False
        if part.room_id != live.request.room_id:
            return False  # it was being sent when its room was closed
        return not (part.state is PartState.READY and await self._outbox.withdraw(live.key, PLACEHOLDER))

    async def ended(self, live: Live, ending: Ending) -> None:
        """Cancelled, refused or expired: the placeholder does not go on promising an answer."""
        self._chats.pop(live.key, None)
        self._lives.pop(live.key, None)
        self._outbox.drop_edit(live.key, CHAT_EDIT)
        standing = await self._store.parts_of(live.key)
        final = standing.get(FINAL)
        replaced = _stays(standing) or (final is not None and final.kind is Kind.EDIT)
        if replaced or not await self._placeholder_stands(live, standing):
            return
        content = await event_content.notice(ending.line, live.key, CHAT_END, None)
        inner = {"of": PLACEHOLDER, "content": content}
        await self._outbox.post(
            Part(
                key=live.key,
                part=CHAT_END,
                room_id=live.request.room_id,
                kind=Kind.EDIT,
                rank=Rank.REFUSAL,
                content=inner,
            )
        )

    # -- contents ----------------------------------------------------------------------------

    async def build(self, part: Part) -> dict[str, Any]:
        """The content of ``chat/k``."""
        request = await self._store.request(part.key)
        if request is None or not request.open:
            raise WorkerRefused(410, "not_found")
        number = part.part.piece
        if number == 0:
            return {**self._placeholder(part), **await self._related(request)}
        chat = self._chats.setdefault(part.key, Growing(finishing=True))
        pieces = await self._pieces(chat, await self._result(request), request)
        chat.finishing = True  # after a start the answer may be here before the news of it
        self._outbox.drop_edit(part.key, CHAT_EDIT)
        if not 1 <= number <= len(pieces):
            raise WorkerRefused(404, "not_found")
        content = pieces[number - 1]
        if part.kind is Kind.EDIT:
            return {"of": PLACEHOLDER, "content": content}
        return {**content, **await self._related(request)}

    def _placeholder(self, part: Part) -> dict[str, Any]:
        live, chat = self._lives.get(part.key), self._chats.get(part.key)
        if live is None or chat is None:
            return formatting.message(texts.thinking(), part.key, PLACEHOLDER, length=0)
        chat.shown = streaming.shown_now(live, chat, self._state)
        content = chat.shown.content(part.key)
        content[event_content.OUR_KEY] |= {"part": PLACEHOLDER}
        return content

    async def _result(self, request: Request) -> ChatResult:
        live = self._lives.get(request.key)
        turn = live.job.turn if live is not None and live.job is not None else None
        if turn is None or turn.result is None:
            if request.job_id is None:
                raise WorkerRefused(404, "not_found")
            turn = (await self._worker.job(request.job_id)).turn
        if turn is None or turn.result is None or not turn.result.text:
            raise WorkerRefused(404, "not_found")
        return turn.result

    async def _related(self, request: Request) -> dict[str, Any]:
        """The relation as fields of a content; none where the request has moved to another room."""
        root = None if request.moved else await self._history.root_of(request)
        if root is None:
            return event_content.related(request)
        return {"m.relates_to": formatting.thread_relation(root, request.event_id)}


def _stays(standing: dict[PartName, Part]) -> bool:
    """Does the answer stand in the room, and is it not taken back?"""
    first = standing.get(PartName.answer(1))
    return first is not None and first.state is PartState.SENT and PartName.answer(1).unsend() not in standing
