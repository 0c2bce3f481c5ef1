"""What the worker and its GPU process say to each other: one JSON object per line.

The parent speaks first only after ``Hello``. Between two tasks the child says nothing, so
that silence during a task means that it hangs::

    parent                       child
      ◀──────────── Hello          the card is ours, torch is loaded
      ── Draw | Describe ▶
      ◀──────────── Progress, Beat  at every phase, step and (at most each second) block
      ◀──────────── Preview        where the task wants them or a film, a few between the steps
      ── Cancel ────────▶           at any time; unknown tasks are ignored
      ◀──────────── Drawn | Described | Failed | Cancelled
      ── Release, Trim ─▶
      ◀──────────── Released, Trimmed
      ── Stop ──────────▶           ends with exit code 0

ASCII JSON has no raw newline and no lone surrogate, whatever a prompt holds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ..errors import Details
from ..memory.oom_history import OutOfMemory
from ..memory.peaks import Peak
from ..models.entries import ModelEntry
from ..schemas.draw_files import (
    CaptionerFiles,
    CheckerFiles,
    ControlFiles,
    EmbeddingFile,
    InitImageFile,
    LoraFile,
    MaskFile,
)
from ..schemas.records import UsedRefiner, UsedVae
from ..schemas.resolved import ResolvedRequest

_T = TypeVar("_T")

Phase = Literal["downloading", "loading", "denoising", "decoding", "saving", "describing"]

LINE_LIMIT = 1 << 20
"""Bytes of one line. The longest message is a ``Draw`` with two prompts."""

EXIT_CARD_BUSY = 75
"""The lock file of the card stayed with another process."""
EXIT_DEVICE_LOST = 76
"""A CUDA error after which every further call in that process fails."""
EXIT_NO_ENGINE = 77
"""torch or diffusers could not be imported, or the device asked for is not there."""


class _Message(BaseModel):
    """NaN is allowed on the wire; ``images.task_validation`` refuses it with a sentence."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
        ser_json_inf_nan="constants",
    )


class Memory(_Message):
    """Measured memory of the device in bytes; ``None`` where it cannot be measured."""

    total_bytes: int | None = None
    free_bytes: int | None = None
    held_bytes: int | None = None
    """Of the card, by this process: weights, and what it keeps to compute with."""


# ---------------------------------------------------------------- parent → child


class Draw(ResolvedRequest):
    """One picture: its request, and the paths of its files. ``prompt`` has no LoRA tags here."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["draw"] = "draw"
    task_id: str
    entry: ModelEntry
    """The model's."""
    output: Path
    """Where the raw RGB rows go: ``width * height * 3`` bytes, top left first."""
    init_image: InitImageFile | None = None
    mask: MaskFile | None = None
    control: ControlFiles | None = None
    loras: tuple[LoraFile, ...] = ()
    embeddings: tuple[EmbeddingFile, ...] = ()
    checker: CheckerFiles | None = None
    """The safety checker that has to look at the picture before it leaves the process."""
    captioner: CaptionerFiles | None = None
    """Says what the picture shows, once it is drawn."""
    oom_history: tuple[OutOfMemory, ...] = ()
    """What ran out of memory with this model before."""
    beside: int = 0
    """Bytes of the card that language models have, and would leave. The picture is drawn beside them only if it would
    be drawn in the same way without them; else it fails as ``errors.CROWDED``, before anything was done for it."""
    peaks: tuple[Peak, ...] = ()
    """What pictures of this model took."""


class Describe(_Message):
    """What a picture shows, in the captioner's words."""

    kind: Literal["describe"] = "describe"
    task_id: str
    picture: str
    """A checked RGB PNG."""
    captioner: CaptionerFiles


class Cancel(_Message):
    kind: Literal["cancel"] = "cancel"
    task_id: str


class Release(_Message):
    """Take everything off the device; models may stay in the computer's memory."""

    kind: Literal["release"] = "release"


class Trim(_Message):
    """Give back what is kept to compute with; the model stays on the device."""

    kind: Literal["trim"] = "trim"


class Stop(_Message):
    kind: Literal["stop"] = "stop"


# ---------------------------------------------------------------- child → parent


class Hello(_Message):
    kind: Literal["hello"] = "hello"
    device: str
    name: str
    memory: Memory


class Progress(_Message):
    """Of a download ``step`` and ``steps`` are bytes, and ``steps`` is 0 where nobody knows how many."""

    kind: Literal["progress"] = "progress"
    task_id: str
    phase: Phase
    step: int = 0
    steps: int = 0


class Preview(_Message):
    """A preview of the picture that is being drawn."""

    kind: Literal["preview"] = "preview"
    task_id: str
    jpeg: str
    """Base64; small, see ``images.draw.previews``."""
    frame: int = 0
    """It belongs into the film that the task wants: the number of the step that it is behind. Where it does not grow,
    the picture has been begun anew, and what came before is none of it. 0: only to be looked at."""


class Beat(_Message):
    """The inference thread is still moving, within a step."""

    kind: Literal["beat"] = "beat"
    task_id: str


class UsedControlNet(_Message):
    name: str
    hash: str


class Measured(_Message):
    """Facts about a request that are only known once its model is loaded."""

    model_hash: str
    unused_embeddings: list[str] = []
    """Names of embeddings that do not fit this model."""
    refiner: UsedRefiner | None = None
    """The refiner, where it drew the last steps."""
    vae: UsedVae | None = None
    """The decoder that replaced the model's own."""
    guidance_rescale: float | None = None
    """The guidance rescale, for models that need it."""
    control: UsedControlNet | None = None
    """The ControlNet that was asked for, which may have been fetched only now."""


class Drawn(Measured):
    """The raw RGB file is written."""

    kind: Literal["drawn"] = "drawn"
    task_id: str
    width: int
    height: int
    seconds: float
    """From the task's arrival in the GPU process to the written file, loading included."""
    pipeline_seconds: float
    load_seconds: float
    """Seconds for reading the model's files; 0 where the model was in memory."""
    memory: Memory
    resident: str | None
    versions: dict[str, str] = {}
    plan: str = ""
    """How the model lay in memory (``memory.placement.PLANS``)."""
    notes: list[str] = []
    ooms: list[OutOfMemory] = []
    """What ran out of memory before ``plan`` did not."""
    peak: Peak | None = None
    """What it took of the card; ``None`` without one."""
    alt: str = ""
    """What it shows, in the captioner's words."""


class Described(_Message):
    kind: Literal["described"] = "described"
    task_id: str
    captions: list[str]
    """Of the same picture, from short to long."""
    seconds: float
    memory: Memory
    resident: str | None
    notes: list[str] = []


class Failed(_Message):
    """The picture failed and the process goes on; the fields are ``errors.JobFailed``'s."""

    kind: Literal["failed"] = "failed"
    task_id: str
    code: str
    message: str
    memory: Memory
    resident: str | None
    details: Details = {}
    ooms: list[OutOfMemory] = []
    """What ran out of memory."""


class Cancelled(_Message):
    kind: Literal["cancelled"] = "cancelled"
    task_id: str
    memory: Memory
    resident: str | None


class Released(_Message):
    kind: Literal["released"] = "released"
    memory: Memory


class Trimmed(_Message):
    kind: Literal["trimmed"] = "trimmed"
    memory: Memory
    resident: str | None


ToChild = Draw | Describe | Cancel | Release | Trim | Stop
ToParent = Hello | Progress | Preview | Beat | Drawn | Described | Failed | Cancelled | Released | Trimmed

_TO_CHILD: TypeAdapter[ToChild] = TypeAdapter(Annotated[ToChild, Field(discriminator="kind")])
_TO_PARENT: TypeAdapter[ToParent] = TypeAdapter(Annotated[ToParent, Field(discriminator="kind")])


class BadMessage(Exception):
    """A line that is no message of this protocol. Its text is not repeated: it may hold a prompt."""


def encode(message: ToChild | ToParent) -> bytes:
    """One line, with its newline."""
    return json.dumps(message.model_dump(mode="json"), ensure_ascii=True).encode() + b"\n"


def for_child(line: bytes) -> ToChild:
    """:raises BadMessage:"""
    return _decode(_TO_CHILD, line)


def for_parent(line: bytes) -> ToParent:
    """:raises BadMessage:"""
    return _decode(_TO_PARENT, line)


def _decode(messages: TypeAdapter[_T], line: bytes) -> _T:
    try:
        return messages.validate_json(line, strict=True)
    except ValidationError as error:
        if error.errors(include_input=False)[0]["type"] != "json_invalid":
            raise BadMessage("an unknown message") from None
    try:
        # pydantic refuses lone surrogates, which file names may contain; json reads them.
        return messages.validate_python(json.loads(line))
    except (ValueError, RecursionError):
        raise BadMessage("a line that is no message") from None
