"""What the worker answers, as far as the plugin reads it. Unknown fields are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

FINAL = frozenset({"succeeded", "failed", "cancelled"})


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


class Answer:
    """A frozen dataclass that is read from JSON by the names of its fields."""

    @classmethod
    def read(cls, data: Any) -> Self:
        """Raises ``TypeError`` if a field without a default is missing."""
        known: Mapping[str, Any] = getattr(cls, "__dataclass_fields__", {})
        return cls(**{name: value for name, value in _mapping(data).items() if name in known})

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
        return super().read({**_mapping(data), "thumbnail": Thumbnail.read(_mapping(data).get("thumbnail"))})


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
        source = _mapping(data)
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
        source = _mapping(data)
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
        source = _mapping(data)
        pictures = tuple(Picture.read(picture) for picture in _list(source.get("pictures")))
        return super().read({**source, "pictures": pictures, "turn": Turn.maybe(source.get("turn"))})


@dataclass(frozen=True, kw_only=True)
class Pause(Answer):
    paused: bool = False
    until: float | None = None


@dataclass(frozen=True, kw_only=True)
class Gpu(Answer):
    device: str = ""
    name: str = ""
    total_bytes: int | None = None
    free_bytes: int | None = None
    state: str = ""
    resident: str | None = None


@dataclass(frozen=True, kw_only=True)
class Info(Answer):
    version: str = ""
    features: list[str] = field(default_factory=list)
    pause: Pause = field(default_factory=Pause)
    gpu: Gpu = field(default_factory=Gpu)
    queued: int = 0
    running: int = 0
    default_model: str = ""
    chat_model: str | None = None
    ollama: str = "off"
    notice: str | None = None
    limits: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, data: Any) -> Self:
        source = _mapping(data)
        return super().read({**source, "pause": Pause.read(source.get("pause")), "gpu": Gpu.read(source.get("gpu"))})


@dataclass(frozen=True, kw_only=True)
class ModelDefaults(Answer):
    steps: int
    guidance_scale: float
    width: int
    height: int
    sampler: str
    negative_prompt: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelLimits(Answer):
    steps_max: int
    guidance_scale_max: float
    size_min: int
    size_max: int
    size_multiple: int
    pixels_max: int


@dataclass(frozen=True, kw_only=True)
class Model(Answer):
    name: str
    kind: Literal["image", "chat"] = "image"
    about: str = ""
    available: bool = True
    default: bool = False
    defaults: ModelDefaults | None = None
    limits: ModelLimits | None = None
    licence: str = ""

    @classmethod
    def read(cls, data: Any) -> Self:
        source = _mapping(data)
        return super().read(
            {
                **source,
                "defaults": ModelDefaults.maybe(source.get("defaults")),
                "limits": ModelLimits.maybe(source.get("limits")),
            }
        )


@dataclass(frozen=True, kw_only=True)
class Models(Answer):
    models: tuple[Model, ...] = ()
    samplers: tuple[str, ...] = ()

    @classmethod
    def read(cls, data: Any) -> Self:
        source = _mapping(data)
        models = tuple(Model.read(model) for model in _list(source.get("models")))
        return super().read({"models": models, "samplers": tuple(_list(source.get("samplers")))})

    def find(self, name: str) -> Model | None:
        return next((model for model in self.models if model.name == name), None)


# ---------------------------------------------------------------- the event stream


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
    source = _mapping(data)
    if name == "snapshot":
        jobs = tuple(Job.read(job) for job in _list(source.get("jobs")))
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
