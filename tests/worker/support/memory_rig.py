"""An engine on a card that is not there: its facts are a double's, and memory runs out where a test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from otterbot_worker.gpu.messages import Draw, Drawn
from otterbot_worker.images.engine import Engine
from otterbot_worker.memory.device_info import DeviceInfo
from otterbot_worker.memory.oom_history import OutOfMemory
from otterbot_worker.memory.placement import PLANS, Plan
from otterbot_worker.models.catalogue import Catalogue
from otterbot_worker.models.entries import ModelEntry

PASCAL = DeviceInfo(
    kind="cuda",
    total=8_500_000_000,
    available=5_100_000_000,
    ram_available=12_000_000_000,
    capability=(6, 1),
    attention=("efficient", "math"),
)
"""Of a card that keeps fp16 and computes in fp32, which the processor here can do as well."""


class Short:
    """Memory runs out in the first ``times`` attempts, a few blocks into the phase."""

    def __init__(self, times: int = 0, phase: str = "denoising") -> None:
        self._left, self._phase = times, phase
        self._now, self._looks = "", 0

    def progress(self, phase: str, step: int = 0, steps: int = 0) -> None:
        if phase != self._now:
            self._now, self._looks = phase, 0

    def check(self) -> None:
        self._looks += 1
        if self._now == self._phase and self._looks == 5 and self._left:
            self._left -= 1
            raise torch.OutOfMemoryError("CUDA out of memory")


class Rig:
    def __init__(self, make_task: Callable[..., Draw], entries: dict[str, ModelEntry], facts: DeviceInfo) -> None:
        self._make_task, self._entries = make_task, entries
        self.facts = facts
        self.engine = Engine(device="cpu", threads=1, measure=lambda _device, _held: self.facts)

    def draw(self, times: int = 0, *, family: str = "sdxl", phase: str = "denoising", **changes: Any) -> Drawn:
        task = self._make_task(**{"entry": self._entries[family], **changes})
        self.drawn = self.engine.draw(task, Short(times, phase))
        self.picture = np.frombuffer(task.output.read_bytes(), np.uint8).astype(int)
        return self.drawn


def all_failed_before(plan: Plan) -> list[OutOfMemory]:
    """What makes the engine begin with that plan."""
    return [OutOfMemory(plan=one.name, card=0, available=10**12) for one in PLANS[: PLANS.index(plan)]]


@pytest.fixture
def make_rig(
    make_task: Callable[..., Draw], entries: dict[str, ModelEntry], catalogue: Catalogue
) -> Callable[..., Rig]:
    more = {name: catalogue.images[f"tiny-{name}"] for name in ("refined", "sd3", "zimage", "klein")}
    return lambda facts=PASCAL: Rig(make_task, entries | more, facts)
