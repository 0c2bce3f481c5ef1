"""Events of the worker's stream. Unknown events are ignored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from .info import Pause
from .jobs import Job, Progress
from .json_answers import Answer, readable


@dataclass(frozen=True, kw_only=True)
class Snapshot(Answer):
    """All open jobs; the first event after each connection. Unreadable jobs are left out: their requests are asked
    for."""

    jobs: tuple[Job, ...]
    pause: Pause = field(default_factory=Pause)

    @classmethod
    def read(cls, data: Any) -> Self:
        return super().read({**data, "jobs": readable(Job, data.get("jobs"))} if isinstance(data, dict) else data)


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
    """Made by the client when the stream ended; it reconnects by itself."""

    unauthorized: bool = False
    foreign: bool = False
    """Another program than the worker answers there."""


Event = Snapshot | JobEvent | ProgressEvent | ChatEvent | PauseEvent | Disconnected


_KINDS: dict[str, type[Snapshot | JobEvent | ProgressEvent | ChatEvent | PauseEvent]] = {
    "snapshot": Snapshot,
    "job": JobEvent,
    "progress": ProgressEvent,
    "chat": ChatEvent,
    "pause": PauseEvent,
}


def read_event(name: str, data: Any) -> Event | None:
    """An event of the stream; ``None`` for a name that we do not know. Raises ``TypeError`` for malformed data."""
    kind = _KINDS.get(name)
    return None if kind is None else kind.read(data)
