"""The chain of memory plans on real small pipelines. There is no card here: the device's facts are a double's, and
memory runs out where a test says so. What moving weights to a card does can only be seen on one (``tests/gpu``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lora_files
import numpy as np
import pytest
import torch
from memory_rig import PASCAL, Rig, all_failed_before, make_rig

from otterbot_worker.errors import JobFailed
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.images.memory.budget import MemoryBudgets
from otterbot_worker.memory import placement
from otterbot_worker.memory.placement import OFFLOAD, PLANS, QUANTISED, RESIDENT
from otterbot_worker.models.catalogue import Catalogue
from otterbot_worker.models.entries import ModelEntry

pytestmark = pytest.mark.filterwarnings("ignore")
__all__ = ["make_rig"]


def test_every_plan_follows_the_one_before_with_the_same_seed(make_rig: Callable[..., Rig]) -> None:
    for times in (1, len(PLANS) - 1):
        drawn = make_rig().draw(times)
        plan = PLANS[times]
        assert drawn.plan == plan.name
        assert [oom.plan for oom in drawn.ooms] == [one.name for one in PLANS[:times]]
        assert drawn.notes == [f"Drawn with {plan.words}; 64x64 was too large for the free 5.1 GB."]


@pytest.mark.parametrize("family", ["sd", "refined"])
def test_moving_weights_does_not_change_a_picture_and_eight_bits_do_slightly(
    make_rig: Callable[..., Rig], family: str
) -> None:
    pictures = {}
    for plan in (RESIDENT, OFFLOAD, QUANTISED):
        rig = make_rig()
        assert rig.draw(family=family, oom_history=all_failed_before(plan)).plan == plan.name
        loaded = rig.engine.residency.loaded
        assert loaded is not None
        assert len(loaded.pipes) == (2 if family == "refined" else 1)
        for pipe in loaded.pipes:
            kept = {parameter.dtype for parameter in pipe.unet.parameters()}
            assert (torch.float8_e4m3fn in kept) == plan.quantised
        pictures[plan] = rig.picture
    assert (pictures[RESIDENT] == pictures[OFFLOAD]).all()
    assert 0 < np.abs(pictures[RESIDENT] - pictures[QUANTISED]).mean() < 12


def test_another_decoder_stands_in_the_record_and_its_absence_is_said(
    make_rig: Callable[..., Rig],
    entries: dict[str, ModelEntry],
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    wants = {**entries["sdxl"].as_dict(), "vae": "somebody/decoder"}
    rig = make_rig()
    drawn = rig.draw(entry=wants)
    own = rig.picture
    assert drawn.vae is None
    assert drawn.notes == ["The decoder somebody/decoder could not be used, so that of tiny-xl itself was."]

    root = tmp_path / "hub" / "models--somebody--decoder"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text("abc")
    (root / "snapshots").mkdir()
    (root / "snapshots" / "abc").symlink_to(data_dir / "models" / "tiny-sd" / "vae")
    rig = make_rig()
    drawn = rig.draw(entry=wants)
    assert drawn.vae is not None
    assert (drawn.vae.name, len(drawn.vae.hash)) == ("decoder", 16)
    assert drawn.notes == []
    assert (rig.picture != own).any()


@pytest.mark.parametrize("family", ["sd3", "zimage", "klein"])
def test_transformers_compute_in_other_numbers_than_they_keep(
    make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    """Some layers of theirs are asked by their owner in what they are kept; and large text encoders are quantised."""
    monkeypatch.setattr(placement, "LARGE_ENCODER", 0)
    settings = {"steps": 2, "guidance_scale": 1.0 if family == "klein" else 0.0, "sampler": "Euler"}
    for plan in (RESIDENT, QUANTISED):
        rig = make_rig()
        drawn = rig.draw(family=family, oom_history=all_failed_before(plan), **settings)
        assert drawn.plan == plan.name
        assert drawn.notes[0].startswith("This card does not compute in bf16")
        assert rig.engine.residency.loaded is not None
        kept = {parameter.dtype for parameter in rig.engine.residency.loaded.pipe.text_encoder.parameters()}
        assert (torch.float8_e4m3fn if plan.quantised else torch.bfloat16) in kept


def test_after_the_last_plan_a_sentence_says_what_to_do(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    with pytest.raises(JobFailed) as failed:
        rig.draw(99)
    assert failed.value.code == "out_of_memory"
    assert failed.value.details["plans"] == [plan.name for plan in PLANS]
    assert failed.value.message == (
        "64x64 with tiny-xl needs more memory than the free 5.1 GB. A smaller size or model may fit."
    )
    assert rig.engine.resident is None
    assert rig.draw(), "the next picture is drawn"


@pytest.mark.parametrize("phase", ["loading", "denoising", "decoding"])
def test_memory_may_run_out_anywhere(make_rig: Callable[..., Rig], phase: str) -> None:
    rig = make_rig()
    times = 1 if phase != "loading" else 0  # fewer looks than five while loading
    drawn = rig.draw(times, phase=phase)
    assert drawn.plan == PLANS[times].name


def test_the_plan_that_worked_is_remembered_by_size_and_across_processes(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    ooms = rig.draw(2, width=96).ooms
    assert rig.drawn.plan == "offload"
    assert rig.draw(width=96).plan == "offload"
    assert rig.drawn.notes == [], "said once"
    assert rig.draw(width=64).plan == "resident", "a smaller one may fit"
    rig.facts = replace(PASCAL, available=7_500_000_000)
    assert rig.draw(width=96).plan == "resident", "there is more memory than then"
    another = make_rig()
    assert another.draw(width=96, oom_history=ooms).plan == "offload"
    assert another.draw(width=96, family="sd").plan == "resident", "another model"


def test_the_free_memory_decides_before_anything_is_loaded(
    catalogue: Catalogue, make_task: Callable[..., Draw]
) -> None:
    entry = catalogue.images["ssd-1b"]
    task = make_task(width=768, height=768)
    for reserve, plan in ((0, "offload"), (2_000_000_000, "groups")):
        room = MemoryBudgets(reserve=reserve, ram_reserve=0).begin(
            entry, task, replace(PASCAL, available=4_500_000_000)
        )
        assert room.plan.name == plan
        assert room.notes == [
            "Decoded in tiles, as the card had 4.5 GB free; with more, pixels along them would differ slightly."
        ]
    small = make_task(width=512, height=512)
    room = MemoryBudgets(reserve=0, ram_reserve=0).begin(entry, small, replace(PASCAL, available=4_500_000_000))
    assert (room.plan.name, room.notes) == ("offload", []), "it is one tile, which changes nothing"


def test_loras_act_on_weights_of_any_kind(make_rig: Callable[..., Rig], tmp_path: Path) -> None:
    for plan in (RESIDENT, QUANTISED):
        rig = make_rig()
        ooms = all_failed_before(plan)
        rig.draw(oom_history=ooms)
        plain = rig.picture
        assert rig.engine.residency.loaded is not None
        path = lora_files.write(
            tmp_path / f"{plan.name}.safetensors", lora_files.peft(lora_files.pairs(rig.engine.residency.loaded.pipe))
        )
        rig.draw(loras=[lora_files.wanted(path)])
        assert rig.drawn.plan == plan.name
        assert np.abs(rig.picture - plain).mean() > 0.5
        rig.draw()
        assert (rig.picture == plain).all()
