"""What a client is shown of a job: the stored rows, what runs right now, and its place in the line."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from otterbot_worker.api.schemas import (
    ChatResult,
    Failure,
    ImageResult,
    Job,
    Picture,
    Progress,
    State,
    Turn,
)
from otterbot_worker.jobs.eta import Line, Speeds
from otterbot_worker.jobs.model import Row, StoredJob, derived_state
from otterbot_worker.jobs.store import Store

LINE_SECONDS = 0.25
"""How old the picture of a long queue may be; a short one is looked at anew each time."""
LONG_QUEUE = 200


@dataclass(kw_only=True)
class Live:
    """What is known of running rows and stands nowhere on disk."""

    progress: dict[tuple[str, int], Progress] = field(default_factory=dict)
    text: dict[str, str] = field(default_factory=dict)

    def forget(self, job_id: str, idx: int) -> None:
        self.progress.pop((job_id, idx), None)
        self.text.pop(job_id, None)


class Views:
    """Builds ``schemas.Job``. Owns the cached line; ``Live`` belongs to the dispatcher, ``Speeds`` to both."""

    def __init__(self, store: Store, live: Live, speeds: Speeds) -> None:
        self._store = store
        self._live = live
        self._speeds = speeds
        self._line: Line | None = None
        self._line_until = 0.0

    async def job(self, job: StoredJob) -> Job:
        return (await self.jobs([job], owner=job.owner))[0]

    async def jobs(self, jobs: Sequence[StoredJob], *, owner: str | None = None) -> list[Job]:
        """``owner``: all jobs are this one's, which spares looking at everybody's places."""
        if not jobs:
            return []
        rows = await self._store.rows(job.id for job in jobs)
        queued = any(row.state is State.QUEUED for job in jobs for row in rows[job.id])
        positions = await self._store.positions(jobs[0].client, owner) if queued else {}
        line = await self._current_line() if queued else None
        return [self._build(job, rows[job.id], positions.get(job.id), line) for job in jobs]

    async def _current_line(self) -> Line:
        now = time.monotonic()
        if self._line is None or now >= self._line_until:
            groups = await self._store.groups()
            self._line = Line(groups, await self._store.served(), self._speeds)
            self._line_until = now + LINE_SECONDS if sum(group.count for group in groups) > LONG_QUEUE else 0.0
        return self._line

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
            request=job.request,
        )
        if line is not None and position is not None:
            person = (job.client, job.owner)
            if state is State.QUEUED:
                view.place = line.place(person, job.kind, position[0])
            waiting = line.seconds(person, job.kind, position[1])
            running = self.remaining()
            if waiting is not None and running is not None:
                view.eta_s = round(waiting + running, 1)
        elif state is State.RUNNING:
            remaining = [self._remaining_of(row) for row in rows if row.state is State.RUNNING]
            known = [seconds for seconds in remaining if seconds is not None]
            view.eta_s = round(max(known), 1) if known else None
        if job.kind == "image":
            view.pictures = [self._picture(row) for row in rows]
        elif rows:
            view.turn = self._turn(rows[0])
        return view

    def remaining(self) -> float | None:
        """Seconds until what runs now is done; ``None``: it runs and cannot be told."""
        total = 0.0
        for progress in self._live.progress.values():
            if progress.phase == "saving":
                continue
            if progress.eta_s is None:
                return None
            total += progress.eta_s
        return total

    def _remaining_of(self, row: Row) -> float | None:
        progress = self._live.progress.get((row.job_id, row.idx))
        return progress.eta_s if progress else None

    def _picture(self, row: Row) -> Picture:
        return Picture(
            index=row.idx,
            seed=row.seed,
            state=row.state,
            attempt=row.attempt,
            progress=self._progress(row),
            result=ImageResult.model_validate(row.result) if row.result else None,
            error=Failure.model_validate(row.error) if row.error else None,
        )

    def _turn(self, row: Row) -> Turn:
        result = ChatResult.model_validate(row.result) if row.result else None
        return Turn(
            state=row.state,
            attempt=row.attempt,
            progress=self._progress(row),
            text=result.text if result else self._live.text.get(row.job_id, ""),
            result=result,
            error=Failure.model_validate(row.error) if row.error else None,
        )

    def _progress(self, row: Row) -> Progress | None:
        return self._live.progress.get((row.job_id, row.idx)) if row.state is State.RUNNING else None


def expected_progress(progress: Progress, *, attempt: int, fallback_eta: float | None) -> Progress:
    """A step's report with its attempt, and with our own estimate where it has none."""
    eta = progress.eta_s if progress.eta_s is not None else fallback_eta
    return progress.model_copy(update={"attempt": attempt, "eta_s": eta})
