"""How does it stand with a job of which the worker says nothing by itself?"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import WorkerRefused
from ..store.rows import Request, RequestState
from ..worker.client import WorkerClient
from ..worker.jobs import Job
from .active import ActiveRequest

AT_A_TIME = 20
"""How many jobs without news are asked for, one after another."""


async def job_of(worker: WorkerClient, request: Request) -> Job | None:
    """The job of a submitted request; ``None``: the worker has forgotten it.

    Raises a :class:`~..errors.WorkerError` where that cannot be known now.
    """
    if request.job_id is None:
        return None
    try:
        job = await worker.job(request.job_id)
    except WorkerRefused as refusal:
        if refusal.not_found:
            return None
        raise
    return job if job.key == request.key else None  # another worker's job of the same name


def overdue(requests: Iterable[ActiveRequest], since: float) -> list[ActiveRequest]:
    """Jobs of which nothing was heard since then (``time.monotonic()``), the most forgotten first."""
    waiting = (
        active for active in requests if active.request.state is RequestState.SUBMITTED and active.heard_at < since
    )
    return sorted(waiting, key=lambda one: one.heard_at)[:AT_A_TIME]
