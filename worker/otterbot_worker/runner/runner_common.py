"""Shared by the runners: failures of a row, and reporting to listeners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..errors import JobFailed, ProcessDied
from ..queue.store import Store
from ..schemas.jobs import Failure, Progress
from .eta import Speeds
from .job_view import Live
from .lease import Card
from .metrics import Measures


class Listener(Protocol):
    """Told of everything that clients may want to see; must not block. The event stream implements it."""

    def job_changed(self, client: str, job_id: str) -> None: ...

    def progressed(self, client: str, job_id: str, index: int, progress: Progress) -> None: ...

    def chat_text(self, client: str, job_id: str, attempt: int, text: str) -> None: ...

    def pause_changed(self) -> None: ...

    def queue_moved(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What the dispatcher and its runners have in common."""

    store: Store
    card: Card
    live: Live
    speeds: Speeds
    listener: Listener
    measures: Measures


class HandBack(Exception):
    """The row goes back as if it had never been claimed, because it is not to blame. Its kind waits ``seconds``; with
    ``alone`` only this row; with ``card`` this card, where there are others; with ``lacks`` this row on this card, and
    for good."""

    def __init__(
        self, reason: str, seconds: float, *, alone: bool = False, card: bool = False, lacks: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.seconds = seconds
        self.alone = alone
        self.card = card
        self.lacks = lacks


class WrongLane(Exception):
    """The row now belongs to another lane: give it back as if it had never been claimed."""


def failure(error: JobFailed) -> Failure:
    return Failure(code=error.code, message=error.message, details=error.details)


def poison(error: ProcessDied, kind: str = "image") -> Failure:
    """The failure of a row during which the GPU process died too often."""
    doing, way_out = "drawing", "A smaller size or another model may work."
    if kind == "describe":
        doing, way_out = "describing", "Another picture may work."
    return Failure(
        code="poison",
        message=f"The graphics process ended twice while {doing} this ({error.reason}), so it is not tried again. "
        f"{way_out}",
        details={"reason": error.reason, "exit_code": error.exit_code},
    )


def nodes_lost() -> Failure:
    """The failure of a row that too many machines were lost with."""
    return Failure(
        code="worker_restarts",
        message="The machine that drew this was lost five times, so it is not tried again.",
    )


def worker_restarts() -> Failure:
    return Failure(
        code="worker_restarts",
        message="The worker was restarted five times while working on this, so it is not tried again.",
    )


def internal(kind: str) -> Failure:
    return Failure(
        code={"image": "image_failed", "describe": "describe_failed"}.get(kind, "chat_failed"),
        message="Something unexpected went wrong in the worker; its log says what.",
    )
