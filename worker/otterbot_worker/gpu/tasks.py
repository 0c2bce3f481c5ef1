"""What the GPU process is asked for, and what is known of its answers."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from . import messages

State = Literal["stopped", "starting", "idle", "loading", "drawing"]


@dataclass(frozen=True, kw_only=True)
class DrawTask:
    """One picture, everything resolved. ``model`` is ``ModelEntry.as_dict()``."""

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
    output: Path
    """Where the raw RGB rows go: ``width * height * 3`` bytes, top left first."""
    canvas: list[int] | None = None
    init_image: str | None = None
    """A checked RGB PNG to start from."""
    strength: float | None = None
    """How much of it is drawn anew, above 0 and up to 1."""
    mask: str | None = None
    mask_is_alpha: bool = False
    loras: list[dict[str, Any]] = field(default_factory=list)
    embeddings: list[dict[str, Any]] = field(default_factory=list)
    safety: dict[str, Any] | None = None
    variation: dict[str, Any] | None = None
    lessons: list[dict[str, Any]] = field(default_factory=list)
    control: dict[str, Any] | None = None
    preview: bool = False
    hires: dict[str, Any] | None = None
    upscale: dict[str, Any] | None = None
    """As ``messages.Draw``."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    width: int
    height: int
    seconds: float
    """From the task's arrival in the GPU process to the written file, loading included."""
    pipeline_seconds: float
    load_seconds: float
    model_hash: str
    versions: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unused_embeddings: list[str] = field(default_factory=list)
    refiner: dict[str, Any] | None = None
    vae: dict[str, Any] | None = None
    guidance_rescale: float | None = None
    plan: str = ""
    lessons: list[dict[str, Any]] = field(default_factory=list)
    """As ``messages.Drawn``."""
    control: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class GpuInfoData:
    """What was last known; fields as ``schemas.GpuInfo``."""

    device: str
    name: str
    total_bytes: int | None = None
    free_bytes: int | None = None
    state: State = "stopped"
    resident: str | None = None
    """Name of the model that is loaded."""


def drawn(message: messages.Drawn) -> Drawn:
    """What outlives the message: all but whose it was, and how the process was left."""
    return Drawn(**{one.name: getattr(message, one.name) for one in fields(Drawn)})
