"""The worker's event stream: what happens to jobs, as it happens. Events of unknown names are no events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .worker_about import Pause
from .worker_types import Answer, Job, Progress, entries, mapping


@dataclass(frozen=True, kw_only=True)
class Snapshot(Answer):
    """Every open job of ours; the first event after each connection."""

    jobs: tuple[Job, ...] = ()
    pause: Pause = field(default_factory=Pause)


@dataclass(frozen=True, kw_only=True)
class JobEvent(Answer):
    job: Job


@dataclass(frozen=True, kw_only=True)
class ProgressEvent(Answer):
    job_id: str
    index: int
    progress: Progress
    eta_s: float | None = None
    """The whole job's; ``progress.eta_s`` is this picture's alone."""


@dataclass(frozen=True, kw_only=True)
class ChatEvent(Answer):
    job_id: str
    attempt: int = 0
    text: str = ""
    """Cumulative."""


@dataclass(frozen=True, kw_only=True)
class PauseEvent(Answer):
    pause: Pause


@dataclass(frozen=True, kw_only=True)
class Disconnected(Answer):
    """Made by the client: the stream ended; it connects again by itself."""

    unauthorized: bool = False


Event = Snapshot | JobEvent | ProgressEvent | ChatEvent | PauseEvent | Disconnected


def read_event(name: str, data: Any) -> Event | None:
    """An event of the stream; ``None`` for a name that we do not know."""
    source = mapping(data)
    if name == "snapshot":
        jobs = tuple(Job.read(job) for job in entries(source.get("jobs")))
        return Snapshot(jobs=jobs, pause=Pause.read(source.get("pause")))
    if name == "job":
        return JobEvent(job=Job.read(source.get("job")))
    if name == "progress":
        return ProgressEvent.read({**source, "progress": Progress.read(source.get("progress"))})
    if name == "chat":
        return ChatEvent.read(source)
    if name == "pause":
        return PauseEvent(pause=Pause.read(source.get("pause")))
    return None
