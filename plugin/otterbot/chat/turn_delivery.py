"""Turns of a chat: an answer that grows in its place, and stands there whole in the end, once.

Parts of a request::

    chat/0        the placeholder, after a few seconds without an answer; volatile edits show what has come
    chat/1        the answer's first piece: an edit of the placeholder, or a message where there is none
    chat/2 … n    further pieces of a long answer, each begun when the one before it stands
    chat/n+1      a file with the rest of one that is too long for the room
    final         instead: one sentence that says why there is no answer

No text is stored: pieces are made from the worker's result, the same every time, whenever they are sent. A turn that
somebody stops keeps what came: the worker's result is then of a turn that was cancelled.
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
from ..matrix.encryption import Encryption
from ..matrix.http import MatrixHttp
from ..outbox.queue import Outbox
from ..requests.active import ActiveRequest, CannotAsk, RequestEnd, WorkerState
from ..requests.input_images import Starts
from ..store.part_names import CHAT_EDIT, PLACEHOLDER, REPLY, PartName
from ..store.rows import Kind, Part, PartState, Rank, Request
from ..store.store import Store
from ..worker.client import WorkerClient
from ..worker.job_events import ChatEvent
from ..worker.jobs import Turn
from . import answer_parts, drawings, formatting, pictures, streaming
from .answer_parts import Said
from .drawings import DRAWS, FEATURE, Draw
from .entries import MODEL, ROOM_MODEL
from .formatting import Made
from .history import History
from .streaming import Growing, begun
from .turn_endings import CANCELLED, Endings
from .typing_notice import Typing

SUCCEEDED = "succeeded"
INFO_AGE = 60.0
"""Seconds for which it is believed what a worker can do."""
OVER = (PartState.SENT, PartState.FAILED, PartState.DROPPED)


class Chats:
    """The kind ``chat`` of :class:`~..requests.active.Kind`, and the builder of parts ``chat/k``."""

    own_status = True

    def __init__(
        self,
        store: Store,
        worker: WorkerClient,
        outbox: Outbox,
        http: MatrixHttp,
        encryption: Encryption,
        history: History,
        starts: Starts,
        state: WorkerState,
        typing: Typing,
        values: Callable[[], Values],
        draw: Draw | None = None,
    ) -> None:
        """``draw``: for models that may ask for pictures."""
        self._store = store
        self._worker = worker
        self._outbox = outbox
        self._http = http
        self._encryption = encryption
        self._history = history
        self._starts = starts
        self._state = state
        self._typing = typing
        self._values = values
        self._draw = draw
        self._endings = Endings(store, outbox, self._related, prefix=lambda: values().prefix)
        self._chats: dict[str, Growing] = {}
        self._active: dict[str, ActiveRequest] = {}

    # -- asking ------------------------------------------------------------------------------

    def begin(self, active: ActiveRequest) -> None:
        """Also after a start: what stands in the room says how it is now, worker or not."""
        self._follow(active)

    async def body(self, active: ActiveRequest) -> dict[str, object] | None:
        """The conversation, read from the room; ``None`` while an earlier turn of the conversation goes on."""
        chat = self._follow(active)
        standing = await self._store.parts_of(active.key)
        if begun(standing):
            # The worker forgot the answer between two of its pieces; another one would not fit on to the first.
            active.relation = (await self._related(active.request)).get("m.relates_to")
            raise CannotAsk(texts.CHAT_REST_FORGOTTEN)
        chat.waiting = await self._others_first(active.request)
        active.changed.set()
        if chat.waiting:
            return None
        conversation = await self._history.conversation(active.request)
        shown = await pictures.shown(active.request, conversation.messages, self._starts, self._worker)
        notes = (*conversation.notes, *shown.notes)
        if notes != active.request.notes:
            await self._store.set_notes(active.key, notes)
            active.request = replace(active.request, notes=notes)
        body: dict[str, object] = {"messages": shown.messages}
        asked = active.request.asked
        wishes = {"draws": asked.get(DRAWS) is True, "left_out_told": conversation.left_out_told}
        # An older worker knows neither of them.
        if any(wishes.values()) and FEATURE in (await self._worker.info(INFO_AGE)).features:
            body |= {name: True for name, wish in wishes.items() if wish}
        model = asked.get(MODEL) or asked.get(ROOM_MODEL) or self._values().chat.model
        return {**body, "model": model} if model else body

    def mend(self, active: ActiveRequest, refusal: WorkerRefused) -> bool:
        return refusal.code == "input_gone" and self._starts.shown_gone(active.request)

    async def refused(self, active: ActiveRequest, refusal: WorkerRefused) -> str:
        return texts.refused(refusal)

    async def _others_first(self, request: Request) -> bool:
        """Is an earlier turn of the same thread still open? Asked by all that wait whenever one ends: from memory."""
        root = await self._history.root_of(request)
        for other in [active.request for active in self._active.values() if active.open]:
            earlier = (other.created_at, other.key) < (request.created_at, request.key)
            if earlier and other.room_id == request.room_id and await self._history.root_of(other) == root:
                return True
        return False

    # -- while it grows ----------------------------------------------------------------------

    def _follow(self, active: ActiveRequest) -> Growing:
        """Begin to show a turn, wherever its first sign of life came from."""
        self._active[active.key] = active
        chat = self._chats.get(active.key)
        if chat is None or (chat.finishing and (active.job is None or not active.job.final)):
            chat = self._chats[active.key] = Growing()
            show = streaming.show(active, chat, self._outbox, self._store, self._state, self._values)
            active.spawn(asyncio.create_task(show, name="otterbot chat"))
            types = self._typing.during(active, chat.moved, lambda: chat.over(active))
            active.spawn(asyncio.create_task(types, name="otterbot typing"))
        return chat

    async def on_chat(self, active: ActiveRequest, event: ChatEvent) -> None:
        self._follow(active)

    # -- the end -----------------------------------------------------------------------------

    async def on_job(self, active: ActiveRequest) -> RequestEnd | None:
        job = active.job
        chat = self._follow(active)
        chat.moved.set()
        if job is None or not job.final:
            return None
        async with chat.lock:
            chat.finishing = True
            chat.moved.set()
            self._outbox.drop_edit(active.key, CHAT_EDIT)
            standing = await self._store.parts_of(active.key)
            turn = job.turn or Turn(state=job.state)
            said = self._said(turn, active.request)
            if said is not None and (made := await self._made(chat, said, active.request)).parts:
                ending = await self._deliver(active, made, standing, stopped=said.stopped)
                return await self._with_drawing(active, ending, said) if ending is not None else None
            return await self._endings.failed(active, turn, standing)

    async def _made(self, chat: Growing, said: Said, request: Request) -> Made:
        if chat.made is None or chat.made[0] != said:
            chat.made = said, await answer_parts.made_of(said, request, prefix=self._values().prefix)
        return chat.made[1]

    async def _deliver(
        self, active: ActiveRequest, made: Made, standing: dict[PartName, Part], *, stopped: bool
    ) -> RequestEnd | None:
        """The next piece, if the ones before it stand in the room; the ending when all do."""
        for number in range(1, made.parts + 1):
            name = PartName.answer(number)
            part = standing.get(name)
            if part is None:
                edit = number == 1 and await self._endings.placeholder_stands(active, standing)
                kind = Kind.EDIT if edit else Kind.MESSAGE
                await self._outbox.post(
                    Part(key=active.key, part=name, room_id=active.request.room_id, kind=kind, rank=Rank.RESULT)
                )
                return None
            if part.state not in OVER:
                self._outbox.rebuild(active.key, name)
                return None
            if part.state is not PartState.SENT:
                file = number > len(made.messages)
                text = texts.CHAT_REST_NOT_POSTED if file else texts.CHAT_NOT_POSTED
                return await self._endings.badly(active, "failed", text, standing)
        await self._store.set_made(active.key, 1)
        return RequestEnd(outcome=CANCELLED if stopped else SUCCEEDED, well=not stopped, line="")

    def _said(self, turn: Turn, request: Request) -> Said | None:
        """The answer, or what came of one that was stopped; ``None``: there is none."""
        result = turn.result
        if result is None or turn.state not in (SUCCEEDED, CANCELLED):
            return None
        may = self._draw is not None and request.asked.get(DRAWS) is True and turn.state == SUCCEEDED
        drawn = drawings.options_of(result.draws) if may and result.draws is not None else None
        return Said(result=result, stopped=turn.state == CANCELLED, moved=request.moved, drawn=drawn)

    async def _with_drawing(self, active: ActiveRequest, ending: RequestEnd, said: Said) -> RequestEnd:
        """The turn ends, and with it the picture is asked for that the model wants, or it is said why not."""
        request, drawn = active.request, said.drawn
        answer = _last_event(await self._store.parts_of(active.key))
        if self._draw is None or drawn is None or answer is None or not ending.well:
            return ending
        root = None if request.moved else await self._history.root_of(request)
        follow = await self._draw(request, drawn, answer, root)
        if follow is None:
            return ending
        why = follow if isinstance(follow, str) else texts.drawing_too_much()
        content = await event_content.notice(why, active.key, REPLY, None)
        content |= await self._related(request)
        part = Part(key=active.key, part=REPLY, room_id=request.room_id, rank=Rank.REFUSAL, content=content)
        if isinstance(follow, str):
            return replace(ending, parts=[*ending.parts, part])
        return replace(ending, follow=replace(follow, instead=(part,)))

    async def ended(self, active: ActiveRequest, ending: RequestEnd) -> None:
        self._chats.pop(active.key, None)
        self._active.pop(active.key, None)
        self._outbox.drop_edit(active.key, CHAT_EDIT)
        await self._endings.show(active, ending)

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
        made = await self._made(chat, await self._answer(request), request)
        chat.finishing = True  # after a start the answer may be here before the news of it
        self._outbox.drop_edit(part.key, CHAT_EDIT)
        if not 1 <= number <= made.parts:
            raise WorkerRefused(404, "not_found")
        if number > len(made.messages):
            content = await answer_parts.file_of(made, part, request, self._http, self._encryption)
        else:
            content = made.messages[number - 1]
        if part.kind is Kind.EDIT:
            return {"of": PLACEHOLDER, "content": content}
        return {**content, **await self._related(request)}

    def _placeholder(self, part: Part) -> dict[str, Any]:
        active, chat = self._active.get(part.key), self._chats.get(part.key)
        if active is None or chat is None:
            return formatting.message(texts.thinking(), part.key, PLACEHOLDER, length=0)
        chat.shown = streaming.shown_now(active, chat, self._state)
        content = chat.shown.content(part.key)
        content[event_content.OUR_KEY] |= {"part": PLACEHOLDER}
        return content

    async def _answer(self, request: Request) -> Said:
        active = self._active.get(request.key)
        turn = active.job.turn if active is not None and active.job is not None else None
        if turn is None or turn.result is None:
            if request.job_id is None:
                raise WorkerRefused(404, "not_found")
            turn = (await self._worker.job(request.job_id)).turn
        said = None if turn is None else self._said(turn, request)
        if said is None or not (said.result.text or said.drawn):
            raise WorkerRefused(404, "not_found")
        return said

    async def _related(self, request: Request) -> dict[str, Any]:
        """The relation as fields of a content; none where the request has moved to another room."""
        root = None if request.moved else await self._history.root_of(request)
        if root is None:
            return event_content.related(request)
        return {"m.relates_to": formatting.thread_relation(root, request.event_id)}


def _last_event(standing: dict[PartName, Part]) -> str | None:
    """The event of an answer's last piece; of one that is an edit, that of the message that it edits."""
    pieces = [part for name, part in standing.items() if name.piece >= 0 and part.kind is Kind.MESSAGE]
    last = max(pieces, key=lambda part: part.part.piece, default=None)
    return None if last is None else last.event_id
