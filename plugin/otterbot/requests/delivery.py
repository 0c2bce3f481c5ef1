"""From an accepted request to its result in the room, whatever dies in between.

States are stored before they are acted upon: ``kept`` before a request is submitted, ``submitted`` once the worker has
it, ``done`` when all its messages are in the room (or in the outbox). After a start or a reconnection, open requests
are resumed from the database and the snapshot of the worker's event stream.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

from .. import texts
from ..config import Values
from ..errors import WorkerError
from ..matrix import event_content
from ..outbox.queue import Outbox
from ..store.part_names import ACK
from ..store.quotas import Follow
from ..store.rows import Kind as PartKind
from ..store.rows import Part, Rank, Request, RequestState
from ..store.store import Store
from ..waiting import surely
from ..worker.client import WorkerClient
from ..worker.event_listener import WorkerNews
from ..worker.job_events import ChatEvent, Disconnected, Event, JobEvent, PauseEvent, ProgressEvent, Snapshot
from ..worker.jobs import Job
from ..worker.polling import Polling
from . import completion, job_lookup
from .active import ActiveRequest, CannotAsk, Kind
from .active_requests import ActiveRequests
from .cancel import Cancellation
from .completion import Completion
from .expiry import Expiry
from .following import follows
from .housekeeping import Housekeeping
from .retiming import Retiming
from .signals import Signals
from .status_line import show
from .submit import Submitter


class Delivery:
    """One per plugin instance. Its parts do not know it."""

    def __init__(
        self,
        store: Store,
        worker: WorkerClient,
        outbox: Outbox,
        active: ActiveRequests,
        kinds: Mapping[str, Kind],
        values: Callable[[], Values],
        bot: str,
        log: logging.Logger,
    ) -> None:
        """``kinds``: request kind (``image``, ``chat``) → its handler."""
        self._store = store
        self._worker = worker
        self._outbox = outbox
        self._active = active
        self._kinds = kinds
        self._values = values
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()
        self.signals = Signals()
        self.worker_state = active.worker
        self._news = WorkerNews(worker, self._event, log)
        self._polling = Polling(worker, self._event, self._overdue, log)
        self._submitter = Submitter(store, worker, kinds, active, self.signals.submit, log)
        self._completion = Completion(store, outbox, active, kinds, self.signals)
        self.cancelling = Cancellation(store, outbox, active, self._completion, self.signals, bot, log)
        self.giving_up = Expiry(store, outbox, self.cancelling, active, self._completion)
        self._housekeeping = Housekeeping(store, worker, self.giving_up.expire, self.signals.housekeeping, log)
        self._retiming = Retiming(store, active, self.signals, log)

    # -- life --------------------------------------------------------------------------------

    async def take_up(self) -> None:
        """Resume all open requests. Needs neither worker nor homeserver."""
        for request in await self._store.open_requests():
            self._begin(request, promised=True)

    def start(self) -> None:
        """Start listening to the worker; open requests are resumed and the outbox sends by now."""
        self._store.clock.moved.append(self._clock_was_set)
        self.spawn(self._know_the_time(), "otterbot clock")
        self.spawn(self._news.run(), "otterbot events of the worker")
        self.spawn(self._polling.run(), "otterbot polling")
        self.spawn(self._housekeeping.run(), "otterbot housekeeping")

    async def _know_the_time(self) -> None:
        await self._retiming.know_the_time()
        await surely(self.cancelling.resume, self._log, for_ever=True)

    def _clock_was_set(self, later: float) -> None:
        self.spawn(self._retiming.clock_was_set(later), "otterbot clock")

    async def stop(self) -> None:
        if self._clock_was_set in self._store.clock.moved:
            self._store.clock.moved.remove(self._clock_was_set)
        tasks = [*self._tasks, *(task for active in self._active.all() for task in active.tasks)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Start a task that lives until the instance stops, independent of requests."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- requests come -----------------------------------------------------------------------

    def first_parts(self, request: Request) -> list[Part]:
        """The parts that are stored together with a new request. One that was made with a reaction has no ⏳ and no ✅:
        on the picture they would be about everybody's. Nor does one whose message is in the room before."""
        if request.reaction is not None or request.moved:
            return []
        content = event_content.reaction(request.key, ACK, request.event_id, texts.ACK)
        return [completion.part(request, ACK, PartKind.REACTION, Rank.REACTION, content)]

    def accepted_request(self, request: Request) -> None:
        """A request was stored: start it."""
        self._begin(request)
        self.signals.housekeeping.set()

    def _begin(self, request: Request, *, promised: bool = False) -> None:
        active = ActiveRequest(request=request, promised=promised)
        self._active.add(active)
        self._outbox.turns.asked_by(request.key, request.sender)
        kind = self._kind_of(active)
        kind.begin(active)
        show(active, kind, self._outbox, self._store, self.worker_state, self._values)
        if request.state is RequestState.KEPT:
            self._submit(active)

    def moved(self, request: Request, *, ends: bool) -> None:
        """The request's room was replaced: continue in the new room, or end it (``ends``)."""
        active = self._active.get(request.key)
        if active is not None:
            active.request = replace(
                active.request, room_id=request.room_id, asked_in=request.asked_in, private=request.private
            )
            active.relation = None
            if not ends:
                show(active, self._kind_of(active), self._outbox, self._store, self.worker_state, self._values)

    def _kind_of(self, active: ActiveRequest) -> Kind:
        return self._kinds[active.request.kind]

    def active(self, key: str) -> ActiveRequest | None:
        """The open request with its latest news (queue place, progress)."""
        return self._active.get(key)

    # -- requests are submitted --------------------------------------------------------------

    def _submit(self, active: ActiveRequest) -> None:
        active.spawn(asyncio.create_task(self._submitting(active), name="otterbot submit"))

    async def _submitting(self, active: ActiveRequest) -> None:
        answer = await self._submitter.submit(active)
        if isinstance(answer, Job):
            await self._accepted(active, answer)
        elif answer is not None:
            kind = self._kind_of(active)
            text = str(answer) if isinstance(answer, CannotAsk) else await kind.refused(active, answer)
            # What else was chosen from the sheet comes all the same.
            follow = self._with_parts(follows(active.request, {}, self._store.clock.now()))
            done = await self._completion.end_with(active, "refused", text, follow=follow)
            if done.followed and follow is not None:
                self.accepted_request(follow.request)

    async def _accepted(self, active: ActiveRequest, job: Job) -> None:
        try:
            await self.hear(job)
        except Exception as error:
            self._news.missed(error)
        if active.ask and active.open:
            active.ask = False
            active.spawn(asyncio.create_task(self._ask(active), name="otterbot ask"))

    async def _ask(self, active: ActiveRequest) -> None:
        """Ask for a job that is not among the open ones."""
        if active.request.job_id is None:
            return
        try:
            job = await job_lookup.job_of(self._worker, active.request)
            if job is None:
                await self.forgotten(active)
            else:
                await self.hear(job)
        except WorkerError:
            return  # the next snapshot asks again
        except Exception as error:
            self._news.missed(error)

    async def forgotten(self, active: ActiveRequest) -> None:
        """The worker has forgotten the job: submit the stored resolved request, which gives the same pictures."""
        if active.job is not None and active.job.turn is not None and active.job.turn.answered:
            return  # the whole answer is already here
        if active.open and active.request.cancel_owed:
            await self.cancelling.cancel([active.key], active.request.room_id)  # nobody wants it once more
            return
        if active.open and await self._store.kept_again(active.key):
            self._log.warning("The worker has forgotten a job; it is submitted again")
            active.request = replace(active.request, state=RequestState.KEPT, job_id=None)
            active.promised = True
            active.forget_job()
            self._submit(active)

    async def _overdue(self, since: float) -> None:
        for active in job_lookup.overdue(self._active.all(), since):
            await self._ask(active)

    # -- the worker answers ------------------------------------------------------------------

    async def _event(self, event: Event) -> None:
        if isinstance(event, Snapshot):
            await self._snapshot(event)
        elif isinstance(event, JobEvent):
            await self.hear(event.job)
        elif isinstance(event, ProgressEvent):
            active = self._active.by_job(event.job_id)
            if active is not None:
                active.moved(event.index, event.progress, event.eta_s)
                active.changed.set()
        elif isinstance(event, ChatEvent):
            active = self._active.by_job(event.job_id)
            if active is not None:
                active.chat_text = event.text
                active.changed.set()
                await self._kind_of(active).on_chat(active, event)
        elif isinstance(event, PauseEvent):
            self.worker_state.pause = event.pause
            self._active.tell_all()
        elif isinstance(event, Disconnected):
            self._active.worker_lost(unauthorized=event.unauthorized, foreign=event.foreign)

    async def _snapshot(self, snapshot: Snapshot) -> None:
        self.worker_state.there(snapshot.pause)
        self.signals.submit.ring()
        self.signals.housekeeping.set()
        self._active.tell_all()
        known = {job.id for job in snapshot.jobs}
        for job in snapshot.jobs:
            await self.hear(job)
        for active in self._active.all():
            active.ask = active.request.state is RequestState.KEPT
            if active.request.state is RequestState.SUBMITTED and active.request.job_id not in known:
                active.spawn(asyncio.create_task(self._ask(active), name="otterbot ask"))
        self._outbox.retry_builds()

    async def hear(self, job: Job) -> None:
        """Take in the worker's view of a job."""
        active = self._active.get(job.key)
        if active is None:
            if not job.final:
                await self._orphan(job)
            return
        known = active.job
        if known is None or known.id != job.id or job.progressed >= known.progressed:
            active.heard(job)  # else: an answer that the stream has overtaken
        active.changed.set()
        if active.request.state is RequestState.SUBMITTED:
            await self.look(active)  # else: the submission is in flight, and looks when it returns

    async def _orphan(self, job: Job) -> None:
        """A job whose request was cancelled or expired while the worker was away."""
        request = await self._store.request(job.key)
        if request is not None and not request.open and await self._store.owe_cancel(job.key):
            self.signals.housekeeping.set()

    def _with_parts(self, follow: Follow | None) -> Follow | None:
        return None if follow is None else replace(follow, parts=self.first_parts(follow.request))

    async def look(self, active: ActiveRequest) -> None:
        """Act on ``active.job``. Never raises: failures are repeated after the next snapshot."""
        try:
            ending = await self._kind_of(active).on_job(active) if active.open else None
            if ending is None:
                return
            follow = self._with_parts(ending.follow)
            ending = replace(ending, follow=follow)
            if (await self._completion.end(active, ending)).followed and follow is not None:
                self.accepted_request(follow.request)
        except Exception as error:
            self._news.missed(error)
