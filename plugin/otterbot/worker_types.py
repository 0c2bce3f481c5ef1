"""What the worker answers about jobs, as far as the plugin reads it. Unknown fields are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

FINAL = frozenset({"succeeded", "failed", "cancelled"})


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def entries(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


class Answer:
    """A frozen dataclass that is read from JSON by the names of its fields."""

    @classmethod
    def read(cls, data: Any) -> Self:
        """Raises ``TypeError`` if a field without a default is missing."""
        known: Mapping[str, Any] = getattr(cls, "__dataclass_fields__", {})
        return cls(**{name: value for name, value in mapping(data).items() if name in known})

    @classmethod
    def maybe(cls, data: Any) -> Self | None:
        return None if data is None else cls.read(data)


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


@dataclass(frozen=True, kw_only=True)
class Input(Answer):
    """A picture to start from that is with the worker."""

    id: str
    alpha: bool = False
    """Parts of it are transparent."""


@dataclass(frozen=True, kw_only=True)
class Thumbnail(Answer):
    width: int
    height: int
    size: int
    mimetype: str


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

    @classmethod
    def read(cls, data: Any) -> Self:
        return super().read({**mapping(data), "thumbnail": Thumbnail.read(mapping(data).get("thumbnail"))})


@dataclass(frozen=True, kw_only=True)
class Picture(Answer):
    index: int
    seed: int = 0
    state: str
    attempt: int = 0
    progress: Progress | None = None
    result: ImageResult | None = None
    error: Failure | None = None

    @classmethod
    def read(cls, data: Any) -> Self:
        source = mapping(data)
        return super().read(
            {
                **source,
                "progress": Progress.maybe(source.get("progress")),
                "result": ImageResult.maybe(source.get("result")),
                "error": Failure.maybe(source.get("error")),
            }
        )


@dataclass(frozen=True, kw_only=True)
class ChatResult(Answer):
    text: str
    model: str = ""
    complete: bool = True
    took: float = 0.0
    notes: list[str] = field(default_factory=list)


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
        """The whole answer is here."""
        return self.result is not None and bool(self.result.text)

    @classmethod
    def read(cls, data: Any) -> Self:
        source = mapping(data)
        return super().read(
            {
                **source,
                "progress": Progress.maybe(source.get("progress")),
                "result": ChatResult.maybe(source.get("result")),
                "error": Failure.maybe(source.get("error")),
            }
        )


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
    pictures: tuple[Picture, ...] = ()
    turn: Turn | None = None

    @property
    def final(self) -> bool:
        return self.state in FINAL

    @property
    def progressed(self) -> tuple[int, int]:
        """Grows with everything that becomes final: which of two answers is the newer one."""
        rows: list[Picture | Turn] = [*self.pictures, *([] if self.turn is None else [self.turn])]
        return sum(row.state in FINAL for row in rows), sum(row.attempt for row in rows)

    @classmethod
    def read(cls, data: Any) -> Self:
        source = mapping(data)
        pictures = tuple(Picture.read(picture) for picture in entries(source.get("pictures")))
        return super().read({**source, "pictures": pictures, "turn": Turn.maybe(source.get("turn"))})
