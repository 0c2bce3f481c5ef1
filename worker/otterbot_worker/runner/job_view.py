"""Views of jobs for clients: stored rows, progress of running ones, and the place in the line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from ..queue.model import Row, StoredJob, derived_state
from ..queue.store import Store
from ..schemas.base import State
from ..schemas.jobs import Description, Job, Picture, Progress, Turn
from ..schemas.resolved import ResolvedRequest
from .eta import Line, Speeds

LINE_SECONDS = 0.25
"""Maximum age of the cached line of a long queue; a short queue is read each time."""
LONG_QUEUE = 200
PORTION = 50
"""Jobs looked up and built before yielding to the event loop."""


@dataclass(kw_only=True)
class Live:
    """Progress, texts and previews of running rows; only in memory."""

    text: dict[str, str] = field(default_factory=dict)
    _progress: dict[tuple[str, int], tuple[Progress, float]] = field(default_factory=dict)
    """The last report with its time."""
    _previews: dict[tuple[str, int], tuple[int, bytes]] = field(default_factory=dict)
    """The number of previews and the latest one."""

    def put(self, job_id: str, idx: int, progress: Progress) -> None:
        self._progress[job_id, idx] = progress, time.monotonic()

    def get(self, job_id: str, idx: int) -> Progress | None:
        """The last report, with the time left counted down since."""
        found = self._progress.get((job_id, idx))
        return None if found is None else _counted_down(*found)

    def all(self) -> list[Progress]:
        return [_counted_down(*found) for found in self._progress.values()]

    def put_preview(self, job_id: str, idx: int, jpeg: bytes) -> None:
        self._previews[job_id, idx] = self.previews(job_id, idx) + 1, jpeg

    def previews(self, job_id: str, idx: int) -> int:
        """How many there have been."""
        return self._previews.get((job_id, idx), (0, b""))[0]

    def preview(self, job_id: str, idx: int) -> bytes | None:
        """The latest one, a JPEG."""
        found = self._previews.get((job_id, idx))
        return None if found is None else found[1]

    def forget(self, job_id: str, idx: int) -> None:
        self._progress.pop((job_id, idx), None)
        self._previews.pop((job_id, idx), None)
        self.text.pop(job_id, None)


class Views:
    """Builds ``schemas.Job``. Owns the cached line; ``Live`` belongs to the dispatcher, ``Speeds`` to both."""

    def __init__(self, store: Store, live: Live, speeds: Speeds, cards: Callable[[], int] = lambda: 1) -> None:
        """``cards``: how many draw now."""
        self._cards = cards
        self._store = store
        self._live = live
        self._speeds = speeds
        self._line: Line | None = None
        self._line_until = 0.0
        self._renewal: asyncio.Task[Line] | None = None

    async def job(self, job: StoredJob) -> Job:
        return (await self.jobs([job]))[0]

    async def jobs(self, jobs: Sequence[StoredJob]) -> list[Job]:
        """Of one client."""
        return [job async for job in self.each(jobs)]

    async def each(self, jobs: Sequence[StoredJob]) -> AsyncIterator[Job]:
        """As `jobs`, one after the other, without holding all of them."""
        line, positions = None, dict[str, tuple[int, int]]()
        for start in range(0, len(jobs), PORTION):
            portion = jobs[start : start + PORTION]
            rows = await self._store.rows(job.id for job in portion)
            queued = [row for job in portion for row in rows[job.id] if row.state is State.QUEUED]
            if line is None and queued:
                # Of one job, only the places of whoever's turn it waits for are looked up.
                positions = await self._store.positions(jobs[0].client, queued[0].owner if len(jobs) == 1 else None)
                line = await self._current_line()
            for job in portion:
                yield self._build(job, rows[job.id], positions.get(job.id), line)
            await asyncio.sleep(0)

    async def preview(self, job_id: str, idx: int) -> bytes | None:
        """The latest preview of a running picture, a JPEG."""
        rows = (await self._store.rows([job_id]))[job_id]
        running = any(row.idx == idx and row.state is State.RUNNING for row in rows)
        return self._live.preview(job_id, idx) if running else None

    async def eta(self, job_id: str) -> float | None:
        """``Job.eta_s`` of a job, as of now."""
        job = await self._store.job(job_id)
        return None if job is None else (await self.job(job)).eta_s

    async def places(self, client: str) -> dict[str, int]:
        """The place of every job of a client that waits."""
        positions = await self._store.positions(client, None)
        jobs = await self._store.waiting(client)
        line = await self._current_line()
        found = {}
        for number, (job_id, owner, kind) in enumerate(jobs, start=1):
            if (position := positions.get(job_id)) is not None:
                found[job_id] = line.place((client, owner), kind, position[0])
            if number % PORTION == 0:
                await asyncio.sleep(0)
        return found

    async def _current_line(self) -> Line:
        """The current line; for a long queue a cached one, renewed in the background."""
        if self._line_until == 0.0 or self._line is None:
            return await self._renew()
        if time.monotonic() >= self._line_until and (self._renewal is None or self._renewal.done()):
            self._renewal = asyncio.create_task(self._renew(), name="look at the queue")
        return self._line

    async def _renew(self) -> Line:
        groups = await self._store.groups()
        line = self._line = Line(groups, await self._store.served(), self._speeds)
        long = sum(group.count for group in groups) > LONG_QUEUE
        self._line_until = time.monotonic() + LINE_SECONDS if long else 0.0
        return line

    async def close(self) -> None:
        """Wait for the background renewal."""
        if self._renewal is not None:
            await asyncio.wait([self._renewal])

    def _build(self, job: StoredJob, rows: Sequence[Row], position: tuple[int, int] | None, line: Line | None) -> Job:
        state = derived_state(row.state for row in rows) if rows else State.FAILED
        view = Job(
            id=job.id,
            key=job.key,
            kind=job.kind,
            owner=job.owner,
            room=job.room,
            private=job.private,
            created_at=job.created_at,
            state=state,
            request=job.request.model_dump(mode="json", exclude={"v", "named", "pictures", "each"}),
            resolved=job.request if isinstance(job.request, ResolvedRequest) else None,
        )
        if line is not None and position is not None:
            person = (job.client, rows[0].owner)
            if state is State.QUEUED:
                view.place = line.place(person, job.kind, position[0])
            waiting = line.seconds(person, job.kind, position[1])
            running = self.remaining()
            if waiting is not None and running is not None:
                view.eta_s = round((waiting + running) / max(1, self._cards()), 1)
        elif state is State.RUNNING:
            remaining = [self._remaining_of(row) for row in rows if row.state is State.RUNNING]
            known = [seconds for seconds in remaining if seconds is not None]
            view.eta_s = round(max(known), 1) if known else None
        if job.kind == "image":
            view.pictures = [self._picture(row) for row in rows]
            view.sheet = job.sheet
        elif rows and job.kind == "chat":
            view.turn = self._turn(rows[0])
        elif rows:
            view.description = self._description(rows[0])
        return view

    def remaining(self) -> float | None:
        """Seconds until the running rows are done; ``None``: unknown."""
        total = 0.0
        for progress in self._live.all():
            if progress.phase in ("saving", "writing"):
                continue
            if progress.eta_s is None:
                return None
            total += progress.eta_s
        return total

    def _remaining_of(self, row: Row) -> float | None:
        progress = self._live.get(row.job_id, row.idx)
        return progress.eta_s if progress else None

    def _picture(self, row: Row) -> Picture:
        return Picture(
            index=row.idx,
            seed=row.seed,
            state=row.state,
            attempt=row.attempt,
            progress=self._progress(row),
            result=row.picture,
            error=row.error,
        )

    def _turn(self, row: Row) -> Turn:
        result = row.answer
        return Turn(
            state=row.state,
            attempt=row.attempt,
            progress=self._progress(row),
            text=result.text if result else self._live.text.get(row.job_id, ""),
            result=result,
            error=row.error,
        )

    def _description(self, row: Row) -> Description:
        return Description(
            state=row.state,
            attempt=row.attempt,
            progress=self._progress(row),
            result=row.described,
            error=row.error,
        )

    def _progress(self, row: Row) -> Progress | None:
        return self._live.get(row.job_id, row.idx) if row.state is State.RUNNING else None


def _counted_down(progress: Progress, since: float) -> Progress:
    if progress.eta_s is None:
        return progress
    return progress.model_copy(update={"eta_s": round(max(0.0, progress.eta_s - (time.monotonic() - since)), 1)})
