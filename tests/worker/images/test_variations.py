"""Variations: between the noise of two seeds, with real pipelines in this process; and what stays the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from engine_lab import Watcher
from PIL import Image

from otterbot_worker.gpu.messages import Draw
from otterbot_worker.images.draw import noise
from otterbot_worker.images.engine import Engine
from otterbot_worker.models.entries import ModelEntry

Draws = Callable[..., bytes]
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def draw(engine: Engine, make_task: Callable[..., Draw], entries: dict[str, ModelEntry]) -> Draws:
    def draw(family: str, **changes: Any) -> bytes:
        task = make_task(entry=entries[family], **changes)
        engine.draw(task, Watcher())
        return task.output.read_bytes()

    return draw


def test_the_way_between_two_noises() -> None:
    one, other = (torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    assert torch.equal(noise.slerp(0.3, one, one.clone()), one)
    assert torch.allclose(noise.slerp(0.0, one, other), one)
    assert torch.allclose(noise.slerp(1.0, one, other), other)
    half = noise.slerp(0.5, one, other)
    assert 0.95 < float(half.std()) < 1.05, "as strong as noise is; on a straight line it were 0.7"
    assert float((half - one).norm()) == pytest.approx(float((half - other).norm()), rel=0.1)
    scaled = noise.slerp(0.2, 14.6 * one, 14.6 * other)
    assert torch.allclose(scaled, 14.6 * noise.slerp(0.2, one, other), atol=1e-4)


@pytest.mark.parametrize("family", ["sd", "sdxl"])
@pytest.mark.parametrize("sampler", ["UniPC", "Euler a"])
@pytest.mark.parametrize("start", [False, True])
def test_both_ends_are_the_seeds_alone(draw: Draws, family: str, sampler: str, start: bool, tmp_path: Path) -> None:
    fields: dict[str, Any] = {"sampler": sampler, "steps": 4}
    if start:
        Image.new("RGB", (64, 64), "teal").save(tmp_path / "start.png")
        fields |= {"init_image": str(tmp_path / "start.png"), "strength": 0.6}
    own, other = draw(family, seed=7, **fields), draw(family, seed=8, **fields)
    varied = [draw(family, seed=7, variation={"seed": 8, "strength": t}, **fields) for t in (0.0, 0.2, 0.2, 1.0)]
    assert varied[0] == own
    assert varied[3] == other
    assert varied[1] == varied[2]
    assert len({own, other, varied[1]}) == 3
    assert draw(family, seed=7, **fields) == own, "nothing stays behind on the pipeline"


def _edges(pixels: bytes) -> npt.NDArray[np.float64]:
    """How steep the brightness is at each place, as a vector around 0."""
    grey = np.frombuffer(pixels, np.uint8).reshape(128, 128, 3).mean(axis=2)
    steep = np.hypot(*np.gradient(grey)).ravel()
    return np.asarray(steep - steep.mean())


def _alike(one: bytes, other: bytes) -> float:
    return float(np.corrcoef(_edges(one), _edges(other))[0, 1])


def test_a_small_variation_keeps_the_layout(draw: Draws) -> None:
    fields: dict[str, Any] = {"prompt": "an otter in a cowboy hat", "steps": 12, "guidance_scale": 5.0}
    fields |= {"width": 128, "height": 128, "sampler": "UniPC"}
    for seed in (1, 2, 3):
        own = draw("mini", seed=seed, **fields)
        varied = draw("mini", seed=seed, variation={"seed": seed + 100, "strength": 0.1}, **fields)
        other = draw("mini", seed=seed + 100, **fields)
        assert own != varied
        assert _alike(own, varied) > _alike(own, other) + 0.2
