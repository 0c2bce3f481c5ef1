"""One loaded model: its pipeline, and all that was loaded beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...families import Family
from ...memory.placement import Plan
from ...models.entries import ModelEntry
from ...schemas.records import UsedVae
from .controlnet import LoadedControlNet
from .lora_loader import LoadedLoras
from .refiner import Refiner
from .textual_inversion import Inversions


@dataclass(kw_only=True)
class Loaded:
    """A pipeline that is ready to draw. Owned by the engine until ``release``."""

    entry: ModelEntry
    pipe: Any
    plan: Plan
    model_hash: str
    load_seconds: float
    base_scheduler: dict[str, Any]
    """The model's own scheduler configuration; every sampler is made from it anew."""
    notes: list[str]
    vae: UsedVae | None = None
    """The VAE that replaces the model's own."""
    adapters: LoadedLoras = field(default_factory=LoadedLoras)
    inversions: Inversions = field(default_factory=Inversions)
    controls: LoadedControlNet = field(default_factory=LoadedControlNet)
    refiner: Refiner | None = None

    @property
    def family(self) -> Family:
        return self.entry.abilities

    @property
    def pipes(self) -> list[Any]:
        """The pipelines with weights: the model's, and the refiner's."""
        return [self.pipe] if self.refiner is None else [self.pipe, self.refiner.pipe]
