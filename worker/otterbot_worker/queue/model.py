"""Jobs and their rows, as they stand in the database.

A job has ``count`` pictures, one chat turn, or one picture to describe; each is a row, and the row is what is claimed::

              claim (attempt + 1)                     result WHERE state = running AND attempt = ?
   ┌────────┐ ───────────────▶ ┌─────────┐ ─────────────────────────▶ succeeded
   │ queued │                  │ running │ ─────────────────────────▶ failed
   └────────┘ ◀─────────────── └─────────┘ ─────────────────────────▶ cancelled
        │      the process died                                            ▲
        └──────────────── cancel (one statement, from queued or running) ──┘
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import TypeAdapter

from ..schemas.base import State
from ..schemas.jobs import ChatResult, Described, Failure, Sheet
from ..schemas.records import ImageResult
from ..schemas.requests import ChatMessage
from ..schemas.resolved import ResolvedChat, ResolvedDescription, ResolvedRequest

Kind = Literal["image", "chat", "describe"]
"""Of a job."""
RowKind = Literal["image", "chat", "describe", "prompt", "later"]
"""What is to be done with a row. Where a language model writes a job's prompt, its first row is a ``prompt`` and the
others come ``later``; they become an ``image`` all at once, when it is written (`Store.prompt_written`)."""

_RESOLVED: Mapping[str, type[ResolvedRequest | ResolvedChat | ResolvedDescription]] = {
    "image": ResolvedRequest,
    "chat": ResolvedChat,
    "describe": ResolvedDescription,
}

Result = ImageResult | ChatResult | Described
_RESULTS: Mapping[str, type[Result]] = {"chat": ChatResult, "describe": Described}
"""Of rows by their kinds; all others become pictures."""
_SAID = TypeAdapter(list[ChatMessage])


class Fields(Protocol):
    """A database row: values by column name."""

    def __getitem__(self, name: str, /) -> Any: ...


GPU_DEATHS_ALLOWED = 2
"""At this many deaths of the GPU process during it alone, a row fails (``poison``)."""
WORKER_DEATHS_ALLOWED = 5
"""At this many deaths of the whole worker during it, or of the machine on which it was drawn, a row fails
(``worker_restarts``)."""
KEY_DAYS = 30.0
"""How long a finished job answers to its key; clients give up resubmitting long before."""
CHOOSING_SECONDS = 3_600.0
"""How long the pictures on a contact sheet of an encrypted room stay once it is delivered: people choose from it."""
SHEET = -1
"""The index of a contact sheet among the pictures of its job."""
CHAT_TEXT_SECONDS = 3_600.0
"""How long after its end a chat job keeps what was said."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One picture, turn or description. Times in Unix seconds; ``work`` in megapixel-steps (0 but for pictures)."""

    seq: int
    """Order of arrival over all jobs."""
    job_id: str
    idx: int
    client: str
    owner: str
    kind: RowKind
    model: str
    work: float
    seed: int
    state: State
    attempt: int
    gpu_deaths: int
    worker_deaths: int
    created_at: float
    claimed_at: float | None
    finished_at: float | None
    overtaken_seconds: float
    result: Result | None
    """A picture's, an answer's or a description's, by ``kind``; only of a row that succeeded."""
    error: Failure | None
    """Only of a row that failed."""

    @classmethod
    def from_row(cls, row: Fields) -> Row:
        values = {name: row[name] for name in cls.__dataclass_fields__}
        values["state"] = State(values["state"])
        result = _RESULTS.get(values["kind"], ImageResult)
        values["result"] = result.model_validate_json(values["result"]) if values["result"] else None
        values["error"] = Failure.model_validate_json(values["error"]) if values["error"] else None
        return cls(**values)

    @property
    def picture(self) -> ImageResult | None:
        """The result of an image job's row."""
        return self.result if isinstance(self.result, ImageResult) else None

    @property
    def answer(self) -> ChatResult | None:
        """The result of a chat job's row."""
        return self.result if isinstance(self.result, ChatResult) else None

    @property
    def described(self) -> Described | None:
        """The result of a description's row."""
        return self.result if isinstance(self.result, Described) else None

    @property
    def job_kind(self) -> Kind:
        return job_kind(self.kind)

    @property
    def task_id(self) -> str:
        """Names this attempt for the GPU process and on disk."""
        return f"{self.job_id}-{self.idx}-{self.attempt}"


@dataclass(frozen=True, kw_only=True)
class StoredJob:
    """A job without its rows. ``content`` is what a chat said, until it is forgotten; empty of a description, which is
    forgotten with it."""

    id: str
    client: str
    key: str
    body_hash: str
    kind: Kind
    owner: str
    room: str
    private: bool
    created_at: float
    request: ResolvedRequest | ResolvedChat | ResolvedDescription
    content: list[ChatMessage] | None
    sheet: Sheet | None = None

    @classmethod
    def from_row(cls, row: Fields) -> StoredJob:
        values = {name: row[name] for name in cls.__dataclass_fields__}
        values["private"] = bool(values["private"])
        values["request"] = _RESOLVED[values["kind"]].model_validate_json(values["request"])
        values["content"] = _SAID.validate_json(values["content"]) if values["content"] else None
        values["sheet"] = Sheet.model_validate_json(values["sheet"]) if values["sheet"] else None
        return cls(**values)

    @property
    def shown(self) -> tuple[str, ...]:
        """Ids of the pictures that a chat or a description is about."""
        return () if isinstance(self.request, ResolvedRequest) else self.request.pictures

    @property
    def pictures(self) -> ResolvedRequest:
        """The request of an image job."""
        assert isinstance(self.request, ResolvedRequest), "a chat job has no pictures"
        return self.request


@dataclass(frozen=True, kw_only=True)
class NewRow:
    """The fields of a row that are known when a job is submitted."""

    seed: int
    model: str
    work: float
    kind: RowKind | None = None
    """``None``: its job's."""
    drawn: ImageResult | None = None
    """It is in the archive already, drawn for another job."""
    card: str = ""
    """The card that is to draw it if it can; empty: any."""
    idx: int = 0
    """Its picture's index; rows are drawn in the order in which they are given."""


@dataclass(frozen=True, kw_only=True)
class ImageRow:
    """A picture in the archive, as the database knows it."""

    image_id: str
    client: str
    job_id: str
    idx: int
    relpath: str
    mimetype: str
    thumbnail_type: str
    private: bool
    created_at: float
    delivered_at: float | None
    gone_at: float | None
    keep_until: float | None = None
    """Of a picture on a contact sheet that was delivered: until then it is not taken for delivered itself."""
    kept: bool = False
    """Somebody wants it to stay, whatever its age and however full the archive."""

    @classmethod
    def from_row(cls, row: Fields) -> ImageRow:
        values = {name: row[name] for name in cls.__dataclass_fields__}
        return cls(**{**values, "private": bool(values["private"]), "kept": bool(values["kept"])})

    def values(self) -> tuple[object, ...]:
        """In the order of ``queries.INSERT_IMAGE``."""
        where = (self.image_id, self.client, self.job_id, self.idx, self.relpath)
        return (*where, self.mimetype, self.thumbnail_type, self.private, self.created_at)

    @property
    def is_sheet(self) -> bool:
        return self.idx == SHEET

    def delivered(self, now: float) -> bool:
        return self.delivered_at is not None and (self.keep_until is None or self.keep_until <= now)


def job_kind(kind: RowKind) -> Kind:
    """Of the job that a row of that kind belongs to."""
    return kind if kind in ("chat", "describe") else "image"


def derived_state(states: Iterable[State]) -> State:
    """A job's state from its rows'."""
    seen = set(states)
    for state in (State.RUNNING, State.QUEUED):
        if state in seen:
            return state
    if seen == {State.SUCCEEDED}:
        return State.SUCCEEDED
    return State.CANCELLED if State.CANCELLED in seen else State.FAILED
