"""What the worker and its GPU process say to each other: one JSON object per line.

The parent speaks first only after ``Hello``. Between two tasks the child says nothing, so
that silence during a task means that it hangs::

    parent                       child
      ◀──────────── Hello          the card is ours, torch is loaded
      ── Draw ──────────▶
      ◀──────────── Progress, Beat  at every phase, step and (at most each second) block
      ◀──────────── Preview        where the task wants them, a few between the steps
      ── Cancel ────────▶           at any time; unknown tasks are ignored
      ◀──────────── Drawn | Failed | Cancelled
      ── Release ───────▶
      ◀──────────── Released
      ── Stop ──────────▶           ends with exit code 0

ASCII JSON has no raw newline and no lone surrogate, whatever a prompt holds.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

LINE_LIMIT = 1 << 20
"""Bytes; the longest message is a ``Draw`` with two prompts."""

EXIT_CARD_BUSY = 75
"""The lock file of the card stayed with another process."""
EXIT_DEVICE_LOST = 76
"""A CUDA error after which every further call in that process fails."""
EXIT_NO_ENGINE = 77
"""torch or diffusers could not be imported, or the device asked for is not there."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What was measured on the device. Bytes; ``None`` where it cannot be known."""

    total_bytes: int | None = None
    free_bytes: int | None = None


# ---------------------------------------------------------------- parent → child


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One picture, everything resolved. ``model`` is ``ModelEntry.as_dict()``."""

    kind: ClassVar[str] = "draw"
    task_id: str
    model: dict[str, Any]
    prompt: str
    negative_prompt: str
    steps: int
    guidance_scale: float
    width: int
    height: int
    sampler: str
    seed: int
    output: str
    canvas: list[int] | None = None
    """Under a mask: width and height of what is drawn, where the picture's own are no multiples of the model's. The
    picture lies at the upper left and goes on beyond its edges; what is finished has its size again."""
    init_image: str | None = None
    """A checked RGB PNG to start from."""
    strength: float | None = None
    mask: str | None = None
    """A checked PNG of its shape; its brightness says where to draw anew."""
    mask_is_alpha: bool = False
    """The mask is the transparency of ``init_image`` itself, whose colours have been laid on white."""
    loras: list[dict[str, Any]] = field(default_factory=list)
    """``{name, path, hash, weight}`` each; the order is part of the picture."""
    embeddings: list[dict[str, Any]] = field(default_factory=list)
    """``{token, name, path, hash}`` each."""
    safety: dict[str, Any] | None = None
    """As ``models.safety.place``: the checker that has to look at the picture before it leaves the process."""
    variation: dict[str, Any] | None = None
    """``{seed, strength}``: the noise to begin with lies between the two seeds."""
    preview: bool = False
    """``Preview`` from time to time."""
    lessons: list[dict[str, Any]] = field(default_factory=list)
    """What did not fit with this model before (``memory.oom_history.Lesson``)."""
    control: dict[str, Any] | None = None
    """``{picture, canny, scale, start, end, name, hash, path, hub}``: the picture that steers (a checked RGB PNG, of
    which the edges are taken if ``canny``) and the ControlNet, at ``path`` or, if that is ``None``, to be fetched from
    ``hub``; ``hash`` is ``None`` then."""
    hires: dict[str, Any] | None = None
    """``{scale, strength, steps, upscaler, width, height, tile}``: it is enlarged and drawn once more. ``tile``, the
    width and height of what is drawn in one go, is the whole where nothing is cut."""
    upscale: dict[str, Any] | None = None
    """``{factor, tile}``: ``init_image`` is enlarged to width and height and drawn once more, all of it by tiles."""


@dataclass(frozen=True, kw_only=True)
class Cancel:
    kind: ClassVar[str] = "cancel"
    task_id: str


@dataclass(frozen=True, kw_only=True)
class Release:
    """Take everything off the device; what the computer's memory has room for may wait there."""

    kind: ClassVar[str] = "release"


@dataclass(frozen=True, kw_only=True)
class Stop:
    kind: ClassVar[str] = "stop"


# ---------------------------------------------------------------- child → parent


@dataclass(frozen=True, kw_only=True)
class Hello:
    kind: ClassVar[str] = "hello"
    device: str
    name: str
    memory: dict[str, int | None]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """``phase`` is one of ``downloading``, ``loading``, ``denoising``, ``decoding``, ``saving``. Of a download ``step``
    and ``steps`` are bytes, and ``steps`` is 0 where nobody knows how many."""

    kind: ClassVar[str] = "progress"
    task_id: str
    phase: str
    step: int = 0
    steps: int = 0


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What the picture looks like by now."""

    kind: ClassVar[str] = "preview"
    task_id: str
    jpeg: str
    """Base64; small, see ``images.draw.previews``."""


@dataclass(frozen=True, kw_only=True)
class Beat:
    """The inference thread is still moving, within a step."""

    kind: ClassVar[str] = "beat"
    task_id: str


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """The raw RGB file is written."""

    kind: ClassVar[str] = "drawn"
    task_id: str
    width: int
    height: int
    seconds: float
    pipeline_seconds: float
    load_seconds: float
    """Of reading its files; 0 where it was in the computer's memory."""
    model_hash: str
    memory: dict[str, int | None]
    resident: str | None
    versions: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unused_embeddings: list[str] = field(default_factory=list)
    """Names of embeddings that do not fit this model."""
    refiner: dict[str, Any] | None = None
    """``{name, hash, hand_over}`` of the one that drew the last steps."""
    vae: dict[str, Any] | None = None
    """``{name, hash}`` of the decoder that replaced the model's own."""
    guidance_rescale: float | None = None
    """The share of the guidance that was scaled back, where the model wants that."""
    plan: str = ""
    """How the model lay in memory (``planning.PLANS``)."""
    lessons: list[dict[str, Any]] = field(default_factory=list)
    """What did not fit before this plan did."""
    control: dict[str, Any] | None = None
    """``{name, hash}`` of the ControlNet that was asked for."""


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The picture failed and the process goes on; the fields are ``errors.JobFailed``'s."""

    kind: ClassVar[str] = "failed"
    task_id: str
    code: str
    message: str
    memory: dict[str, int | None]
    resident: str | None
    details: dict[str, Any] = field(default_factory=dict)
    lessons: list[dict[str, Any]] = field(default_factory=list)
    """As ``Drawn``'s."""


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    kind: ClassVar[str] = "cancelled"
    task_id: str
    memory: dict[str, int | None]
    resident: str | None


@dataclass(frozen=True, kw_only=True)
class Released:
    kind: ClassVar[str] = "released"
    memory: dict[str, int | None]


ToChild = Draw | Cancel | Release | Stop
ToParent = Hello | Progress | Preview | Beat | Drawn | Failed | Cancelled | Released

_TO_CHILD: dict[str, type[ToChild]] = {cls.kind: cls for cls in (Draw, Cancel, Release, Stop)}
_TO_PARENT: dict[str, type[ToParent]] = {
    cls.kind: cls for cls in (Hello, Progress, Preview, Beat, Drawn, Failed, Cancelled, Released)
}


class BadMessage(Exception):
    """A line that is no message of this protocol. Its text is not repeated: it may hold a prompt."""


def encode(message: ToChild | ToParent) -> bytes:
    """One line, with its newline."""
    return json.dumps({"kind": message.kind, **asdict(message)}, ensure_ascii=True).encode() + b"\n"


def _decode(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        fields = json.loads(line)
        return fields.pop("kind"), fields
    except (ValueError, AttributeError, KeyError, TypeError):
        raise BadMessage("a line that is no message") from None


def for_child(line: bytes) -> ToChild:
    """:raises BadMessage:"""
    kind, fields = _decode(line)
    try:
        return _TO_CHILD[kind](**fields)
    except (KeyError, TypeError):
        raise BadMessage("an unknown message") from None


def for_parent(line: bytes) -> ToParent:
    """:raises BadMessage:"""
    kind, fields = _decode(line)
    try:
        return _TO_PARENT[kind](**fields)
    except (KeyError, TypeError):
        raise BadMessage("an unknown message") from None
