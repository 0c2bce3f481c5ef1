"""Requests for descriptions of pictures: one message with the alt text and numbered prompts, once.

No text is stored: the message is made from the worker's result, the same every time. Its own content holds the prompts
once more, so that whoever replies with a number finds them there, after any restart and with any database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import texts
from ..errors import WorkerRefused
from ..matrix import event_content
from ..outbox.queue import Outbox
from ..store.part_names import DESCRIPTION, FINAL
from ..store.rows import Part, PartState, Rank, Request
from ..store.store import Store
from ..worker.client import WorkerClient
from ..worker.job_events import ChatEvent
from ..worker.jobs import Described
from .active import ActiveRequest, RequestEnd
from .input_images import Starts
from .start_places import start_event

SUCCEEDED = "succeeded"
OVER = (PartState.SENT, PartState.FAILED, PartState.DROPPED)
PROMPTS = "prompts"
"""In our key of such a message: what its numbers draw."""
OF = "describes"
"""The event with the picture."""


class Descriptions:
    """The kind ``describe`` of :class:`~.active.Kind`, and the builder of its message."""

    own_status = False

    def __init__(
        self, store: Store, worker: WorkerClient, outbox: Outbox, starts: Starts, prefix: Callable[[], str]
    ) -> None:
        self._store = store
        self._worker = worker
        self._outbox = outbox
        self._starts = starts
        self._prefix = prefix
        self._results: dict[str, Described] = {}
        """Owned here, from the worker's news until the request ends."""

    def begin(self, active: ActiveRequest) -> None:
        """Delivery shows how it stands."""

    async def body(self, active: ActiveRequest) -> dict[str, Any] | None:
        return await self._starts.body(active.request)

    def mend(self, active: ActiveRequest, refusal: WorkerRefused) -> bool:
        return refusal.code == "input_gone" and self._starts.gone(active.request)

    async def refused(self, active: ActiveRequest, refusal: WorkerRefused) -> str:
        if refusal.code == "cannot_describe":
            return f"❌ {texts.CANNOT_DESCRIBE}"
        return texts.refused(refusal)

    async def on_chat(self, active: ActiveRequest, event: ChatEvent) -> None:
        """It does not stream."""

    async def on_job(self, active: ActiveRequest) -> RequestEnd | None:
        job = active.job
        if job is None or job.description is None or not job.final:
            return None
        found = job.description
        if found.result is None or not found.result.alt:
            forgotten = found.error is None and job.state == SUCCEEDED
            line = texts.DESCRIPTION_FORGOTTEN if forgotten else texts.done_line(job)
            return await self._badly(active, "cancelled" if job.state == "cancelled" else "failed", line)
        self._results[active.key] = found.result
        part = await self._store.part(active.key, DESCRIPTION)
        if part is None:
            new = Part(key=active.key, part=DESCRIPTION, room_id=active.request.room_id, rank=Rank.RESULT)
            await self._outbox.post(new)
            return None
        if part.state not in OVER:
            self._outbox.rebuild(active.key, DESCRIPTION)
            return None
        if part.state is PartState.SENT:
            return RequestEnd(outcome=SUCCEEDED, well=True, line=texts.done_line(job))
        return await self._badly(active, "failed", texts.DESCRIPTION_NOT_POSTED)

    async def _badly(self, active: ActiveRequest, outcome: str, line: str) -> RequestEnd:
        content = await event_content.notice(line, active.key, FINAL, active.request)
        final = Part(key=active.key, part=FINAL, room_id=active.request.room_id, rank=Rank.REFUSAL, content=content)
        said = "cannot_encrypt" in active.reasons
        return RequestEnd(outcome=outcome, well=False, line=line, parts=[] if said else [final])

    async def ended(self, active: ActiveRequest, ending: RequestEnd) -> None:
        self._results.pop(active.key, None)
        self._starts.forget(active.key)

    async def build(self, part: Part) -> dict[str, Any]:
        """The content of the message."""
        request = await self._store.request(part.key)
        if request is None or not request.open:
            raise WorkerRefused(410, "not_found")
        result = self._results.get(part.key) or await self._ask(request)
        content = await event_content.notice(
            texts.description(result, self._prefix()), part.key, part.part, request, msgtype="m.text"
        )
        shown = {PROMPTS: list(result.prompts), OF: start_event(request.body)}
        content[event_content.OUR_KEY] |= event_content.canonical(shown)
        return content

    async def _ask(self, request: Request) -> Described:
        """After a restart only the worker knows it."""
        if request.job_id is None:
            raise WorkerRefused(404, "not_found")
        found = (await self._worker.job(request.job_id)).description
        if found is None or found.result is None or not found.result.alt:
            raise WorkerRefused(404, "not_found")
        return found.result


def prompts_in(event: Mapping[str, Any] | None, bot: str) -> list[str] | None:
    """What the numbers of a description draw; ``None`` if the (readable) event is none of ours."""
    content = event.get("content") if event is not None and event.get("sender") == bot else None
    mark = content.get(event_content.OUR_KEY) if isinstance(content, Mapping) else None
    found = mark.get(PROMPTS) if isinstance(mark, Mapping) and mark.get("part") == DESCRIPTION else None
    if not isinstance(found, list):
        return None
    return [one for one in found if isinstance(one, str) and one.strip()]
