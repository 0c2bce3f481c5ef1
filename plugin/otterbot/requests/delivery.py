"""From an accepted request to its result in the room, whatever dies in between.

State is written first, then acted upon: a request is ``kept`` before it is submitted, ``submitted``
once the worker has it, ``done`` when everything that it owes stands in the room (or in the outbox).
After a start, or a reconnection, everything open is taken up again from the database and the
snapshot of the worker's event stream.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from .. import texts
from ..config import Values
from ..errors import WorkerRefused
from ..matrix import event_content
from ..outbox.sends import Outbox
from ..store.rows import Kind as PartKind
from ..store.rows import Part, Rank, Request, RequestState
from ..store.store import Store
from ..waiting import surely
from ..worker.client import WorkerClient
from ..worker.event_listener import WorkerNews
from ..worker.job_events import ChatEvent, Disconnected, Event, JobEvent, PauseEvent, ProgressEvent, Snapshot
from ..worker.jobs import Job
from ..worker.polling import Polling
from . import completion
from .active import CannotAsk, Ending, Kind, Live, WorkerState
from .cancel import Cancelling
from .expiry import GivingUp
from .housekeeping import Upkeep
from .job_lookup import Asking
from .part_events import PartNews
from .retiming import Retiming
from .status_line import show
from .submit import Submitter


class Delivery:
    """One per plugin instance."""

    def __init__(
        self,
        store: Store,
        worker: WorkerClient,
        outbox: Outbox,
        values: Callable[[], Values],
        log: logging.Logger,
    ) -> None:
        self._store = store
        self._worker = worker
        self._outbox = outbox
        self._values = values
        self._log = log
        self._kinds: dict[str, Kind] = {}
        self._lives: dict[str, Live] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = WorkerNews(worker, self._event, log)
        self._submitter = Submitter(store, worker, self._kind_of, self, log)
        self._asking = Asking(store, worker, self._job, self._submitter, self._news.missed, log)
        self._polling = Polling(worker, self._event, self._overdue, log)
        self.worker_state = WorkerState(away_since=time.monotonic(), clock=store.clock)
        self.cancelling = Cancelling(
            store, outbox, live=self.live, close=self._close, wake=lambda: self._upkeep.wake(), log=log
        )
        self.giving_up = GivingUp(
            store, outbox, self.cancelling, self.worker_state, live=self.live, end_with=self.end_with
        )
        self._upkeep = Upkeep(store, worker, self.giving_up.expire, log)
        self._retiming = Retiming(store, lambda: list(self._lives.values()), self._upkeep.wake, log)
        PartNews(
            store, worker, outbox, self._asking,
            live=self.live, hear=self._job, look=self._look, wake=self._upkeep.wake, spawn=self._spawn,
        )  # fmt: skip

    # -- life --------------------------------------------------------------------------------

    def register(self, name: str, kind: Kind) -> None:
        """``kind`` handles requests of that name (``image``, ``chat``)."""
        self._kinds[name] = kind

    async def start(self) -> None:
        """Take up everything that is open. Needs neither the worker nor the homeserver to be there."""
        for request in await self._store.open_requests():
            self._begin(request, promised=True)
        await self._outbox.start()
        self._store.clock.moved.append(self._clock_was_set)
        self._spawn(self._know_the_time(), "otterbot clock")
        self._spawn(self._news.run(), "otterbot events of the worker")
        self._spawn(self._polling.run(), "otterbot polling")
        self._spawn(self._upkeep.run(), "otterbot upkeep")

    async def _know_the_time(self) -> None:
        await self._retiming.know_the_time()
        await surely(self.cancelling.resume, self._log, for_ever=True)

    def _clock_was_set(self, later: float) -> None:
        self._spawn(self._retiming.clock_was_set(later), "otterbot clock")

    async def stop(self) -> None:
        if self._clock_was_set in self._store.clock.moved:
            self._store.clock.moved.remove(self._clock_was_set)
        tasks = [*self._tasks, *(task for live in self._lives.values() for task in live.tasks)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._outbox.stop()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # -- requests come -----------------------------------------------------------------------

    def first_parts(self, request: Request) -> list[Part]:
        """To be stored together with the request."""
        content = event_content.reaction(request.key, "ack", request.event_id, texts.ACK)
        return [completion.part(request, "ack", PartKind.REACTION, Rank.REACTION, content)]

    def accepted_request(self, request: Request) -> None:
        """It is stored: begin."""
        self._begin(request)
        self._upkeep.wake()

    def _begin(self, request: Request, *, promised: bool = False) -> None:
        live = self._lives[request.key] = Live(request=request, promised=promised)
        self._outbox.turns.asked_by(request.key, request.sender)
        kind = self._kind_of(live)
        kind.begin(live)
        show(live, kind, self._outbox, self._store, self.worker_state, self._values)
        if request.state is RequestState.KEPT:
            self._submitter.submit(live)

    def moved(self, request: Request, *, ends: bool) -> None:
        """Its room goes on elsewhere, and so does the request, unless it ``ends`` there at once."""
        live = self._lives.get(request.key)
        if live is not None:
            live.request = replace(
                live.request, room_id=request.room_id, asked_in=request.asked_in, private=request.private
            )
            live.relation = None
            if not ends:
                show(live, self._kind_of(live), self._outbox, self._store, self.worker_state, self._values)

    def _kind_of(self, live: Live) -> Kind:
        return self._kinds[live.request.kind]

    def live(self, key: str) -> Live | None:
        """What is known about an open request now (queue place, progress)."""
        return self._lives.get(key)

    def poke(self) -> None:
        """Ask those kinds again that said "not yet"."""
        self._submitter.poke()

    # -- the worker answers ------------------------------------------------------------------

    async def accepted(self, live: Live, job: Job) -> None:
        await self._job(job)
        if live.ask and live.open:
            live.ask = False
            live.spawn(asyncio.create_task(self._asking.ask(live), name="otterbot ask"))

    async def refused(self, live: Live, refusal: WorkerRefused | CannotAsk) -> None:
        text = str(refusal) if isinstance(refusal, CannotAsk) else texts.refused(refusal)
        await self.end_with(live, "refused", text)

    def away(self, *, unauthorized: bool, foreign: bool) -> None:
        if foreign and not self.worker_state.foreign:
            self._log.warning("Something else than the worker answers at worker.url")
        self.worker_state.lost(unauthorized=unauthorized, foreign=foreign)
        self._tell_all()

    def _tell_all(self) -> None:
        for live in self._lives.values():
            live.changed.set()

    async def _event(self, event: Event) -> None:
        if isinstance(event, Snapshot):
            await self._snapshot(event)
        elif isinstance(event, JobEvent):
            await self._job(event.job)
        elif isinstance(event, ProgressEvent):
            live = self._by_job(event.job_id)
            if live is not None:
                live.moved(event.index, event.progress, event.eta_s)
                live.changed.set()
        elif isinstance(event, ChatEvent):
            live = self._by_job(event.job_id)
            if live is not None:
                live.chat_text = event.text
                live.changed.set()
                await self._kind_of(live).on_chat(live, event)
        elif isinstance(event, PauseEvent):
            self.worker_state.pause = event.pause
            self._tell_all()
        elif isinstance(event, Disconnected):
            self.away(unauthorized=event.unauthorized, foreign=event.foreign)

    def _by_job(self, job_id: str) -> Live | None:
        return next((live for live in self._lives.values() if live.request.job_id == job_id), None)

    async def _snapshot(self, snapshot: Snapshot) -> None:
        self.worker_state.there(snapshot.pause)
        self._submitter.poke()
        self._upkeep.wake()
        self._tell_all()
        known = {job.id for job in snapshot.jobs}
        for job in snapshot.jobs:
            await self._job(job)
        for live in list(self._lives.values()):
            live.ask = live.request.state is RequestState.KEPT
            if live.request.state is RequestState.SUBMITTED and live.request.job_id not in known:
                live.spawn(asyncio.create_task(self._asking.ask(live), name="otterbot ask"))
        self._outbox.retry_builds()

    async def _overdue(self, since: float) -> None:
        await self._asking.overdue(self._lives.values(), since)

    async def _job(self, job: Job) -> None:
        live = self._lives.get(job.key)
        if live is None:
            if not job.final:
                await self._orphan(job)
            return
        known = live.job
        if known is None or known.id != job.id or job.progressed >= known.progressed:
            live.heard(job)  # else an answer that was overtaken by the stream
        live.changed.set()
        if live.request.state is RequestState.SUBMITTED:
            await self._look(live)  # else the submission is still on its way, and looks when it arrives

    async def _orphan(self, job: Job) -> None:
        """A job of a request that was cancelled or expired while nobody could tell the worker."""
        request = await self._store.request(job.key)
        if request is not None and not request.open and await self._store.owe_cancel(job.key):
            self._upkeep.wake()

    async def _look(self, live: Live) -> None:
        """What follows from ``live.job``? Never raises: what fails now is looked at again after the next snapshot."""
        try:
            ending = await self._kind_of(live).on_job(live) if live.open else None
            if ending is not None:
                await self.end(live, ending)
        except Exception as error:
            self._news.missed(error)

    # -- requests end ------------------------------------------------------------------------

    async def end_with(self, live: Live, outcome: str, text: str, *, cancel_owed: bool = False) -> None:
        """End it badly, with one plain sentence."""
        content = await event_content.notice(text, live.key, "final", live.request)
        if live.relation is not None:
            content["m.relates_to"] = live.relation
        part = completion.part(live.request, "final", PartKind.MESSAGE, Rank.REFUSAL, content)
        await self.end(live, Ending(outcome=outcome, well=False, line=text, parts=[part], cancel_owed=cancel_owed))

    async def end(self, live: Live, ending: Ending) -> None:
        """``done``: with everything that says so in one transaction."""
        if not live.open:
            return
        await live.fall_silent()
        try:
            parts = [*ending.parts, *await completion.closing(self._store, self._outbox, live.request, ending)]
            if await self._store.finish(live.key, ending.outcome, parts, cancel_owed=ending.cancel_owed):
                self._outbox.enqueue(parts)
        except Exception:
            live.ending = False
            raise
        await self._close(live, ending)

    async def _close(self, live: Live, ending: Ending) -> None:
        live.request = replace(live.request, state=RequestState.DONE, outcome=ending.outcome)
        self._lives.pop(live.key, None)
        live.done.set()
        live.changed.set()
        await self._kind_of(live).ended(live, ending)
        for task in live.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._submitter.poke()
        self._upkeep.wake()
