"""The worker's answers about jobs, as far as the plugin reads them. Unknown fields are ignored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .json_answers import Answer

FINAL = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True, kw_only=True)
class Failure(Answer):
    code: str
    message: str = ""
    """A sentence for people."""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Progress(Answer):
    phase: str
    step: int = 0
    steps: int = 0
    eta_s: float | None = None
    attempt: int = 0
    preview: int = 0
    """Grows with each preview of the picture; 0: there is none."""


@dataclass(frozen=True, kw_only=True)
class Input(Answer):
    """An input picture on the worker."""

    id: str
    alpha: bool = False
    """Parts of it are transparent."""


@dataclass(frozen=True, kw_only=True)
class Thumbnail(Answer):
    width: int
    height: int
    size: int
    mimetype: str
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Film(Answer):
    """How a picture was drawn, as an animation."""

    width: int
    height: int
    size: int
    mimetype: str
    sha256: str
    frames: int = 0


@dataclass(frozen=True, kw_only=True)
class ImageResult(Answer):
    image_id: str
    filename: str
    mimetype: str
    size: int
    width: int
    height: int
    blurhash: str
    thumbnail: Thumbnail
    record: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    alt: str | None = None
    """What it shows, where that was asked for."""
    film: Film | None = None
    """Where that was asked for."""
    sha256: str | None = None
    """Of the file, in hexadecimal digits; not told by older workers."""


@dataclass(frozen=True, kw_only=True)
class Picture(Answer):
    index: int
    seed: int = 0
    state: str
    attempt: int = 0
    progress: Progress | None = None
    result: ImageResult | None = None
    error: Failure | None = None


@dataclass(frozen=True, kw_only=True)
class SheetField(Answer):
    index: int
    name: str
    shown: bool = True


@dataclass(frozen=True, kw_only=True)
class SheetPicture(Answer):
    """The picture of a contact sheet; a picture of the archive like any other."""

    image_id: str
    filename: str
    mimetype: str
    size: int
    width: int
    height: int
    blurhash: str
    thumbnail: Thumbnail
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Sheet(Answer):
    columns: int
    fields: tuple[SheetField, ...] = ()
    picture: SheetPicture | None = None
    """``None``: it could not be made."""
    error: Failure | None = None


@dataclass(frozen=True, kw_only=True)
class Drawing(Answer):
    """A picture that a language model asks for."""

    prompt: str
    negative_prompt: str | None = None
    aspect: str | None = None


@dataclass(frozen=True, kw_only=True)
class ChatResult(Answer):
    text: str
    model: str = ""
    complete: bool = True
    took: float = 0.0
    notes: list[str] = field(default_factory=list)
    draws: Drawing | None = None
    seeing: list[str] = field(default_factory=list)
    """Models that would have seen the pictures that this one did not."""
    reasoning: str = ""
    """What the model thought, where the worker's settings want it told."""
    left_out_told: bool = False
    """The room knows, or learns from ``notes``, that the conversation's beginning is left out."""


@dataclass(frozen=True, kw_only=True)
class Turn(Answer):
    state: str
    attempt: int = 0
    progress: Progress | None = None
    text: str = ""
    result: ChatResult | None = None
    error: Failure | None = None

    @property
    def answered(self) -> bool:
        """The turn is complete."""
        return self.result is not None and bool(self.result.text or self.result.draws)


@dataclass(frozen=True, kw_only=True)
class Described(Answer):
    """What a picture shows."""

    alt: str
    prompts: tuple[str, ...] = ()
    model: str = ""
    took: float = 0.0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Description(Answer):
    """The one row of a job that describes a picture."""

    state: str
    attempt: int = 0
    progress: Progress | None = None
    result: Described | None = None
    error: Failure | None = None


@dataclass(frozen=True, kw_only=True)
class _Noted(Answer):
    """The fields of a resolved request that the plugin reads."""

    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Job(Answer):
    id: str
    key: str
    kind: str
    owner: str = ""
    room: str = ""
    state: str
    place: int | None = None
    eta_s: float | None = None
    created_at: float = 0.0
    request: dict[str, Any] = field(default_factory=dict)
    resolved: dict[str, Any] | None = None
    """The resolved request of an image job: submitted unchanged, it gives the same pictures. Older workers do not send
    it."""
    pictures: tuple[Picture, ...] = ()
    sheet: Sheet | None = None
    """Of a job that was asked for one, a moment after its last picture."""
    turn: Turn | None = None
    description: Description | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """The worker's notes on the request: roundings, lowered values, fallbacks."""
        try:
            return _Noted.read(self.resolved or {}).notes
        except TypeError:
            return ()

    @property
    def final(self) -> bool:
        return self.state in FINAL

    @property
    def progressed(self) -> tuple[int, int]:
        """A measure that grows with every final row, to tell the newer of two answers."""
        alone = (self.turn, self.description)
        rows: list[Picture | Turn | Description] = [*self.pictures, *(row for row in alone if row is not None)]
        final = sum(row.state in FINAL for row in rows)
        return final + (self.sheet is not None), sum(row.attempt for row in rows)


@dataclass(frozen=True, kw_only=True)
class Jobs(Answer):
    jobs: tuple[Job, ...]
