"""An open request in memory: what stands in the database, and what the worker says about it now."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ..clock import Clock
from ..errors import WorkerRefused
from ..store.part_names import PartName
from ..store.rows import Part, Request, RequestState
from ..worker.info import Pause
from ..worker.job_events import ChatEvent
from ..worker.jobs import Job, Progress

BLINK = 5.0
"""Seconds for which a lost connection to the worker is nothing to speak of."""


@dataclass(eq=False, kw_only=True)
class ActiveRequest:
    """One per open request, from acceptance to ``done``; owned by delivery."""

    request: Request
    job: Job | None = None
    heard_at: float = 0.0
    """``time.monotonic()`` of the last news about the job."""
    reasons: set[str] = field(default_factory=set)
    """Why parts of it could not be sent, see :class:`~..outbox.listeners.PartListener`."""
    chat_text: str = ""
    """What has been streamed so far, cumulative."""
    relation: dict[str, Any] | None = None
    """Where a sentence about it belongs, if not simply to what was asked."""
    ask: bool = False
    """A snapshot without it came while it was being submitted: it may be over already."""
    promised: bool = False
    """People have read, or had time to read, that it is kept: it waits where a new one would be refused."""
    disk_full: bool = False
    """It waits for room on the worker's disk."""
    ending: bool = False
    """Its last messages are being made out; no first status may come after them."""
    saying: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a first status is stored."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at every news; whoever waits for it clears it."""
    done: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def key(self) -> str:
        return self.request.key

    @property
    def open(self) -> bool:
        return self.request.state is not RequestState.DONE

    async def fall_silent(self) -> None:
        """From here on nothing new is said of how it stands, and what has been said is in the database."""
        async with self.saying:
            self.ending = True

    def forget_job(self) -> None:
        """The worker has forgotten it; what it had drawn will be drawn again."""
        self.job = None
        self.chat_text = ""

    def heard(self, job: Job) -> None:
        """The worker has said how it stands."""
        self.job, self.heard_at = job, time.monotonic()

    def job_at(self, now: float) -> Job | None:
        """The job with its time left as of ``now`` (``time.monotonic()``): it goes on while nobody says anything.

        ``eta_s`` is ``None`` where it has run out: the estimate was wrong, and another one is not known.
        """
        job = self.job
        if job is None or job.eta_s is None:
            return job
        left = job.eta_s - max(0.0, now - self.heard_at)
        return replace(job, eta_s=left if left >= 1 else None)

    def moved(self, index: int, progress: Progress, eta_s: float | None = None) -> None:
        """A picture (or the turn, whose index says nothing) has come further. ``eta_s`` is the whole job's;
        a worker that does not tell it has but this picture's."""
        job = self.job
        if job is None:
            return
        job = replace(job, eta_s=progress.eta_s if eta_s is None else eta_s)
        if job.turn is not None:
            self.heard(replace(job, turn=replace(job.turn, progress=progress)))
        elif job.description is not None:
            self.heard(replace(job, description=replace(job.description, progress=progress)))
        else:
            pictures = (
                replace(picture, progress=progress) if picture.index == index else picture for picture in job.pictures
            )
            self.heard(replace(job, pictures=tuple(pictures)))

    def spawn(self, work: asyncio.Task[None]) -> None:
        self.tasks.add(work)
        work.add_done_callback(self.tasks.discard)


def rest_of(seconds: float, request: Request, now: float) -> float:
    """What is left of the first ``seconds`` of a request, whatever clocks say."""
    return min(max(0.0, request.created_at + seconds - now), seconds)


@dataclass(kw_only=True)
class WorkerState:
    """How the worker stands, as far as we see."""

    away_since: float | None = None
    """``time.monotonic()`` of the moment it was lost; ``None``: it is there."""
    unauthorized: bool = False
    foreign: bool = False
    """Something else answers at its address."""
    pause: Pause = field(default_factory=Pause)
    clock: Clock = field(default_factory=Clock)
    """For how long requests are still kept."""

    def lost(self, *, unauthorized: bool, foreign: bool) -> None:
        if self.away_since is None:
            self.away_since = time.monotonic()
        self.unauthorized, self.foreign = unauthorized, foreign

    def there(self, pause: Pause) -> None:
        self.away_since, self.unauthorized, self.foreign, self.pause = None, False, False, pause

    def is_away(self, now: float) -> bool:
        """For so long that it has to be said, or it does not let us in. ``now`` is ``time.monotonic()``."""
        return self.unauthorized or self.foreign or (self.away_since is not None and now - self.away_since > BLINK)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a request ends: for the record, for the reactions, and for people."""

    outcome: str
    """``succeeded``, ``failed``, ``refused``, ``cancelled``, ``expired``."""
    well: bool
    line: str
    """What the status message becomes, if there is one."""
    parts: Sequence[Part] = ()
    """Messages that say so, stored in the same transaction."""
    cancel_owed: bool = False


def comes_again(job: Job, part: Part) -> bool:
    """The worker has another picture for that part, or makes one: its database came out of a backup, and what it had
    drawn since is drawn once more."""
    for picture in job.pictures:
        if part.part == PartName.picture(picture.index):
            drawn = None if picture.result is None else picture.result.image_id
            return picture.state in ("queued", "running") or (drawn is not None and drawn != part.image_id)
    return False


class Kind(Protocol):
    """What is particular about one kind of request (pictures, chat)."""

    own_status: bool
    """It shows its progress itself; delivery posts no status line."""

    def begin(self, active: ActiveRequest) -> None:
        """It is open: just accepted, or taken up after a start."""

    async def body(self, active: ActiveRequest) -> dict[str, object] | None:
        """The ``request`` to submit; ``None``: not yet, asked again when the bell for submitting rings.
        Raises :class:`CannotAsk` with a sentence if it can never be."""

    def mend(self, active: ActiveRequest, refusal: WorkerRefused) -> bool:
        """The worker refused the body; true if another one, asked for now, may pass."""

    async def refused(self, active: ActiveRequest, refusal: WorkerRefused) -> str:
        """What people are told where that is final."""

    async def on_job(self, active: ActiveRequest) -> Ending | None:
        """``active.job`` has changed, or one of its parts was sent. An ending finishes the request."""

    async def on_chat(self, active: ActiveRequest, event: ChatEvent) -> None:
        """More text."""

    async def ended(self, active: ActiveRequest, ending: Ending) -> None:
        """The request is done (stored). Parts that have not been begun may be withdrawn here."""


class CannotAsk(Exception):
    """A request that cannot be put to the worker; the message is a sentence for people."""
