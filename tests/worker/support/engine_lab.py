"""What the engine's tests share: who watches it draw, and what is looked at afterwards."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from otterbot_worker.errors import Cancelled
from otterbot_worker.families.clip import for_sd, for_sdxl
from otterbot_worker.families.prompt import Prompt
from otterbot_worker.gpu.messages import Draw, Drawn
from otterbot_worker.images.engine import Engine
from otterbot_worker.images.load.loaded import Loaded
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.schemas.settings import Settings

Draws = Callable[..., tuple[Drawn, bytes]]
FAMILIES = ["sd", "sdxl"]
CPU = torch.device("cpu")


class Watcher:
    """Counts what it is told; raises ``error`` at the ``after``-th look from within the computation."""

    def __init__(self, after: float = math.inf, phase: str = "denoising", error: Exception | None = None) -> None:
        self.phases: list[tuple[str, int, int]] = []
        self.looks = 0
        self._after, self._phase, self._error = after, phase, error or Cancelled()

    def progress(self, phase: str, step: int = 0, steps: int = 0) -> None:
        self.phases.append((phase, step, steps))

    def check(self) -> None:
        if self.phases and self.phases[-1][0] == self._phase:
            self.looks += 1
            if self.looks > self._after:
                self._after = math.inf
                raise self._error


class Silent:
    """A monitor that raises in the middle of a step, if it is told to."""

    def __init__(self, after: int | None = None) -> None:
        self.phases: list[str] = []
        self._left = after

    def progress(self, phase: str, step: int = 0, steps: int = 0) -> None:
        self.phases.append(phase)

    def check(self) -> None:
        if self._left is not None and "denoising" in self.phases:
            self._left -= 1
            if self._left < 0:
                raise Cancelled


def drawer(engine: Engine, make_task: Callable[..., Draw], entries: dict[str, ModelEntry], *, steps: int) -> Draws:
    """Draws with the small model of a family; ``steps`` unless the test says otherwise."""

    def draw(*, family: str = "sd", monitor: Silent | None = None, **changes: Any) -> tuple[Drawn, bytes]:
        task = make_task(**{"entry": entries[family], "steps": steps, **changes})
        drawn = engine.draw(task, monitor or Silent())
        return drawn, task.output.read_bytes()

    return draw


def loaded(engine: Engine) -> Loaded:
    assert engine.residency.loaded is not None
    return engine.residency.loaded


def pipe_of(engine: Engine) -> Any:
    assert engine.residency.loaded is not None
    return engine.residency.loaded.pipe


def embeds(pipe: Any, text: str, negative: str = "") -> dict[str, torch.Tensor]:
    tokenizer = pipe.tokenizer
    prompts = Prompt(text, tokenizer, what="p"), Prompt(negative, tokenizer, what="n")
    if hasattr(pipe, "tokenizer_2"):
        return for_sdxl(pipe, CPU, *prompts)
    return for_sd(pipe, CPU, *prompts, Settings())


def same(ours: bytes, image: Any) -> bool:
    return bool((np.frombuffer(ours, np.uint8) == np.frombuffer(image.tobytes(), np.uint8)).all())


def alike(one: bytes, other: bytes) -> bool:
    """But for the last bit of some values: processors add up in another order where weights lie otherwise in memory."""
    apart = np.abs(np.frombuffer(one, np.uint8).astype(int) - np.frombuffer(other, np.uint8))
    return bool(apart.max() <= 1 and (apart > 0).mean() < 0.05)


def difference(one: bytes, other: bytes) -> float:
    return float(np.abs(np.frombuffer(one, np.uint8).astype(int) - np.frombuffer(other, np.uint8)).mean())
