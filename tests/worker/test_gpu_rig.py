"""What the benchmarks and tests of the card are made of (``benchmarks/gpu_rig.py``), where there is no card."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import gpu_memory
import gpu_rig
from gpu_rig import GIB, Rig, Watch

from otterbot_worker.memory.placement import GROUPS, PLANS

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def rig(data_dir: Path) -> Rig:
    return Rig(data_dir, device="cpu", tiny=True, cap=8 * GIB)


def run_out(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Memory runs out in the first attempts, at their second step."""
    left = [times]
    progress = Watch.progress

    def told(self: Watch, phase: str, step: int = 0, steps: int = 0) -> None:
        progress(self, phase, step, steps)
        if phase == "denoising" and step == 2 and left[0]:
            left[0] -= 1
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Watch, "progress", told)


def test_what_is_taught_is_forgotten_when_the_rig_is_renewed(rig: Rig) -> None:
    assert rig.draw("ssd-1b", plan=GROUPS).plan == "groups"
    assert rig.draw("ssd-1b").plan == "groups", "what ran out of memory is not tried again"
    rig.renew()
    assert rig.engine.resident is None
    assert rig.draw("ssd-1b").plan == "resident"


def test_only_the_attempt_that_drew_is_measured(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    run_out(monkeypatch, 2)
    peaks: list[int] = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _device: peaks.append(1))
    drawn = rig.draw("sd15", steps=4)
    assert drawn.plan == "offload"
    watch = drawn.watch
    assert len(watch.steps) == len({*watch.steps}) == 5, "of one attempt: its begin, and four steps"
    assert min(watch.phases.values()) == watch.phases["loading"] < watch.steps[0]
    assert watch.decode_seconds > 0
    watch.device = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _device: None)
    watch.progress("loading")
    assert (peaks, watch.steps, list(watch.phases)) == ([1], [], ["loading"])


def test_its_decoder_is_that_of_the_catalogue(rig: Rig) -> None:
    """Else that of SDXL computes in full precision, and no peak is what the estimate says."""
    rig.draw("ssd-1b")
    assert rig.engine.residency.loaded is not None
    assert rig.engine.residency.loaded.pipe.vae.config.force_upcast is False


def test_every_plan_has_a_row(rig: Rig) -> None:
    rows = list(gpu_memory.measured(rig, "sd15"))
    assert [row["drawn with"] for row in rows] == ["resident", *(plan.name for plan in PLANS)]
    assert all(len(gpu_memory.shown(row)) == len(gpu_memory.HEAD) for row in rows)


@pytest.mark.parametrize(("asked", "measured"), [([], gpu_rig.USUAL), (["all"], gpu_rig.MODELS), (["sdxl"], ["sdxl"])])
def test_few_models_are_measured_unless_all_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, asked: list[str], measured: Any
) -> None:
    class Nothing:
        def __init__(self, *_: object, **__: object) -> None:
            self.engine = self
            self.name = self.versions = ""

        def renew(self) -> None:
            seen.append("new")

    seen: list[str] = []
    monkeypatch.setattr(gpu_rig, "Rig", Nothing)
    parser = ArgumentParser()
    gpu_rig.options(parser)
    options = parser.parse_args([*(["--models", *asked] if asked else []), "--tiny"])

    def measure(_rig: Rig, name: str) -> Iterator[dict[str, Any]]:
        seen.append(name)
        yield {"name": name}

    gpu_rig.report(options, ["model"], measure, lambda row: [row["name"]])
    assert seen == [word for name in measured for word in ("new", name)]
