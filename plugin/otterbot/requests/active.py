"""An open request in memory: its database row, and the worker's latest news."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ..clock import Clock
from ..errors import WorkerRefused
from ..store.part_names import SHEET, PartName
from ..store.quotas import Follow
from ..store.rows import Part, Request, RequestState
from ..worker.info import Pause
from ..worker.job_events import ChatEvent
from ..worker.jobs import Job, Progress

BLINK = 5.0
"""A lost connection is not mentioned for so many seconds."""


@dataclass(eq=False, kw_only=True)
class ActiveRequest:
    """One per open request, from acceptance to ``done``; owned by delivery."""

    request: Request
    job: Job | None = None
    made: int = 0
    """How many of its pictures count already, however it ends."""
    heard_at: float = 0.0
    """``time.monotonic()`` of the last news about the job."""
    reasons: set[str] = field(default_factory=set)
    """Why parts could not be sent, see :class:`~..outbox.listeners.PartListener`."""
    chat_text: str = ""
    """The chat text streamed so far."""
    relation: dict[str, Any] | None = None
    """The relation of sentences about it, if other than a reply to the request."""
    ask: bool = False
    """Ask for its job: a snapshot during its submission did not contain it, so it may be over already."""
    promised: bool = False
    """People were told that it is kept, so it waits where a new one would be refused."""
    disk_full: bool = False
    """It waits for free space on the worker's disk."""
    ending: bool = False
    """Its last messages are being composed; no first status may follow them."""
    saying: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a first status is stored."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at every news; whoever waits for it clears it."""
    previewed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is a preview of a picture; whoever waits for it clears it."""
    done: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def key(self) -> str:
        return self.request.key

    @property
    def open(self) -> bool:
        return self.request.state is not RequestState.DONE

    async def fall_silent(self) -> None:
        """Stop new status messages; what was posted is stored when this returns."""
        async with self.saying:
            self.ending = True

    def forget_job(self) -> None:
        """The worker has forgotten the job; its pictures will be drawn again."""
        self.job = None
        self.chat_text = ""

    def heard(self, job: Job) -> None:
        """Take in the worker's latest view of the job."""
        self.job, self.heard_at = job, time.monotonic()

    def job_at(self, now: float) -> Job | None:
        """The job with its time left counted down to ``now`` (``time.monotonic()``).

        ``eta_s`` is ``None`` once it has run out: the estimate was wrong.
        """
        job = self.job
        if job is None or job.eta_s is None:
            return job
        left = job.eta_s - max(0.0, now - self.heard_at)
        return replace(job, eta_s=left if left >= 1 else None)

    def moved(self, index: int, progress: Progress, eta_s: float | None = None) -> None:
        """Progress of a picture (or of the turn, whose index is meaningless). ``eta_s``: the whole job's; ``None`` from
        older workers, which know only this picture's."""
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
            if progress.preview:
                self.previewed.set()

    def spawn(self, work: asyncio.Task[None]) -> None:
        self.tasks.add(work)
        work.add_done_callback(self.tasks.discard)


def rest_of(seconds: float, request: Request, now: float) -> float:
    """What is left of the first ``seconds`` of a request, 0 to ``seconds`` whatever clocks say."""
    return min(max(0.0, request.created_at + seconds - now), seconds)


@dataclass(kw_only=True)
class WorkerState:
    """The worker's state as the plugin sees it."""

    away_since: float | None = None
    """When it was lost (``time.monotonic()``); ``None``: it is connected."""
    unauthorized: bool = False
    foreign: bool = False
    """Another program answers at its address."""
    pause: Pause = field(default_factory=Pause)
    clock: Clock = field(default_factory=Clock)
    """The clock for how long requests are kept."""

    def lost(self, *, unauthorized: bool, foreign: bool) -> None:
        if self.away_since is None:
            self.away_since = time.monotonic()
        self.unauthorized, self.foreign = unauthorized, foreign

    def there(self, pause: Pause) -> None:
        self.away_since, self.unauthorized, self.foreign, self.pause = None, False, False, pause

    def is_away(self, now: float) -> bool:
        """Whether people have to be told: it is away for longer than ``BLINK``, or refuses the token. ``now``:
        ``time.monotonic()``."""
        return self.unauthorized or self.foreign or (self.away_since is not None and now - self.away_since > BLINK)


@dataclass(frozen=True, kw_only=True)
class RequestEnd:
    """How a request ends: outcome, status line, messages."""

    outcome: str
    """``succeeded``, ``failed``, ``refused``, ``cancelled``, ``expired``."""
    well: bool
    line: str
    """The status message's last text, if there is a status message."""
    parts: Sequence[Part] = ()
    """Messages about it, stored in the same transaction."""
    cancel_owed: bool = False
    follow: Follow | None = None
    """Another request that is accepted with it, in the same transaction."""


def comes_again(job: Job, part: Part) -> bool:
    """Whether the worker has, or draws, another picture for that part: its database was restored from a backup, so it
    draws again what came after."""
    if part.part == SHEET:
        sheet = None if job.sheet is None else job.sheet.picture
        return job.sheet is None or (sheet is not None and sheet.image_id != part.image_id)
    for picture in job.pictures:
        if part.part == PartName.picture(picture.index):
            drawn = None if picture.result is None else picture.result.image_id
            return picture.state in ("queued", "running") or (drawn is not None and drawn != part.image_id)
    return False


class Kind(Protocol):
    """The behaviour of one kind of request (pictures, chat)."""

    own_status: bool
    """This kind shows its progress itself; delivery posts no status message."""

    def begin(self, active: ActiveRequest) -> None:
        """A request is open: just accepted, or resumed after a start."""

    async def body(self, active: ActiveRequest) -> dict[str, object] | None:
        """The ``request`` to submit; ``None``: not yet; asked again at the next try to submit. Raises
        :class:`CannotAsk` with a sentence if it never can."""

    def mend(self, active: ActiveRequest, refusal: WorkerRefused) -> bool:
        """The worker refused the body; true if a new body may be accepted."""

    async def refused(self, active: ActiveRequest, refusal: WorkerRefused) -> str:
        """The sentence for people after a final refusal."""

    async def on_job(self, active: ActiveRequest) -> RequestEnd | None:
        """``active.job`` has changed, or one of its parts was sent. A returned ending finishes the request."""

    async def on_chat(self, active: ActiveRequest, event: ChatEvent) -> None:
        """More text."""

    async def ended(self, active: ActiveRequest, ending: RequestEnd) -> None:
        """The request is done and stored. Unsent parts may be withdrawn here."""


class CannotAsk(Exception):
    """A request that cannot be put to the worker; the message is a sentence for people."""
