"""What follows when memory does not suffice, or the device fails, beyond the chain of plans (``test_memory_plans``):
what is learned of it, how it is chosen again, and that no clean-up hides how a picture ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lora_files
import pytest
import torch
from memory_rig import PASCAL, Rig, Short, all_failed_before, make_rig

from otterbot_worker.errors import CROWDED, Cancelled, JobFailed
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.images.load import device as devices
from otterbot_worker.images.memory import placing
from otterbot_worker.images.memory.budget import MemoryBudgets
from otterbot_worker.memory.device_info import DeviceInfo
from otterbot_worker.memory.oom_history import OutOfMemory
from otterbot_worker.memory.peaks import Peak
from otterbot_worker.memory.placement import OFFLOAD, PLANS
from otterbot_worker.models.catalogue import Catalogue

pytestmark = pytest.mark.filterwarnings("ignore")
__all__ = ["make_rig"]

GB = 10**9
LOST = "CUDA error: an illegal memory access was encountered"


class Failing(Short):
    """At the fifth look while it draws."""

    def __init__(self, error: Exception) -> None:
        super().__init__(1)
        self._error = error

    def check(self) -> None:
        try:
            super().check()
        except torch.OutOfMemoryError:
            raise self._error from None


def draw(rig: Rig, monitor: Short, **changes: Any) -> Any:
    task = rig._make_task(**changes)
    return rig.engine.draw(task, monitor)


# ---------------------------------------------------------------- how a picture ended


@pytest.fixture
def unsettled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Moving weights off the device fails, as it does when the device is lost."""
    tried: list[str] = []

    def settle(plan: placing.Plan, _pipe: Any) -> None:
        tried.append(plan.name)
        raise RuntimeError(LOST)

    monkeypatch.setattr(placing, "settle", settle)
    return tried


def test_a_lost_device_keeps_its_name(make_rig: Callable[..., Rig], unsettled: list[str]) -> None:
    with pytest.raises(devices.DeviceLost):
        draw(make_rig(), Failing(RuntimeError(LOST)), oom_history=all_failed_before(OFFLOAD))
    assert unsettled == [], "nothing more is asked of it"


@pytest.mark.parametrize(
    ("error", "raised"),
    [(Cancelled(), Cancelled), (ValueError("a layer"), JobFailed), (JobFailed("nan", "x"), JobFailed)],
)
def test_no_clean_up_takes_the_place_of_what_happened(
    make_rig: Callable[..., Rig], unsettled: list[str], error: Exception, raised: type[Exception]
) -> None:
    rig = make_rig()
    with pytest.raises(raised):
        draw(rig, Failing(error))
    assert unsettled == ["resident"]
    assert rig.engine.resident is None, "it lies nobody knows where, and is loaded anew"


def test_a_picture_that_is_drawn_is_drawn(make_rig: Callable[..., Rig], unsettled: list[str]) -> None:
    rig = make_rig()
    assert rig.draw().plan == "resident"
    assert rig.drawn.model_hash
    assert rig.drawn.resident is None
    assert unsettled == ["resident"]


# ---------------------------------------------------------------- a full card


def test_a_card_that_is_too_full_to_be_looked_at(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    rig.draw()
    errors: list[Exception] = []

    def measure(_device: torch.device, _held: int) -> DeviceInfo:
        if errors:
            raise errors.pop(0)
        return PASCAL

    rig.engine.residency.measure = measure
    errors[:] = [torch.OutOfMemoryError("CUDA out of memory")]
    assert rig.draw().load_seconds > 0, "its own model left, and then there was room to look"
    errors[:] = [RuntimeError("CUDA error: out of memory")] * 2
    with pytest.raises(JobFailed, match="Something else on the worker's machine has filled") as failed:
        rig.draw()
    assert failed.value.code == "out_of_memory"
    assert rig.draw(), "the next one"
    errors[:] = [RuntimeError(LOST)]
    with pytest.raises(devices.DeviceLost):
        rig.draw()
    rig.engine.release()
    errors[:] = [torch.OutOfMemoryError("CUDA out of memory")]
    rig.engine.put_away()
    assert errors, "with nothing to put away, nothing is measured"


# ---------------------------------------------------------------- what is learned


@pytest.mark.parametrize(("error", "times"), [(None, 99), (JobFailed("nan", "x"), 2)])
def test_a_picture_that_failed_leaves_what_was_learned(
    make_rig: Callable[..., Rig], error: Exception | None, times: int
) -> None:
    class Then(Short):
        def check(self) -> None:
            super().check()
            if error is not None and not self._left and self._looks == 8:
                raise error

    with pytest.raises(JobFailed) as failed:
        draw(make_rig(), Then(times))
    ooms = failed.value.ooms
    assert [oom.plan for oom in ooms] == [plan.name for plan in PLANS[:times]]
    another = make_rig()
    if error is None:
        with pytest.raises(JobFailed) as failed:
            another.draw(99, oom_history=ooms)
        assert len(failed.value.details["plans"]) == 1, "one last try, and not all of them again"
    else:
        assert another.draw(oom_history=ooms).plan == "offload"


def test_what_a_picture_with_a_lora_taught_does_not_bar_the_plain_one(
    make_rig: Callable[..., Rig], tmp_path: Path
) -> None:
    rig = make_rig()
    rig.draw()
    assert rig.engine.residency.loaded is not None
    pairs = lora_files.pairs(rig.engine.residency.loaded.pipe)
    path = lora_files.write(tmp_path / "a.safetensors", lora_files.peft(pairs))
    loras = [lora_files.wanted(path)]
    assert rig.draw(2, loras=loras).plan == "offload"
    assert rig.draw(loras=loras).plan == "offload"
    assert rig.draw().plan == "resident"
    values = sum(down.numel() + up.numel() for down, up in pairs.values())
    plain, beside = (room(rig, loras=some).choice.estimate.card for some in ([], loras))
    assert beside - plain == 4 * values, "Pascal computes in four bytes"


def room(rig: Rig, facts: DeviceInfo = PASCAL, **changes: Any) -> Any:
    """A fresh one, that knows nothing."""
    task = rig._make_task(entry=rig._entries["sdxl"], **changes)
    return MemoryBudgets(reserve=0, ram_reserve=0).begin(rig._entries["sdxl"], task, facts)


def test_nothing_is_learned_where_a_controlnet_could_not_be_counted(make_rig: Callable[..., Rig]) -> None:
    """It is still to be fetched: the plain picture would take the blame."""
    control = {"scale": 0.5, "path": None, "hub": "somebody/canny", "name": "canny", "hash": None}
    rig = make_rig()
    for asked, learned in ((control, 0), ({**control, "scale": 0}, 1), (None, 1)):
        begun = room(rig, control=asked)
        assert begun.fall_back()
        assert begun.plan.name == "tiled", "it is not tried again for this picture"
        assert len(begun.ooms) == learned


def test_what_follows_spares_the_computers_memory(catalogue: Catalogue, make_task: Callable[..., Draw]) -> None:
    task = make_task(width=768, height=768)
    facts = replace(PASCAL, capability=(8, 6), available=8 * GB, ram_available=5 * GB)
    begun = MemoryBudgets(reserve=GB // 2, ram_reserve=2 * GB).begin(catalogue.images["ssd-1b"], task, facts)
    seen = [begun.plan.name]
    while begun.fall_back():
        seen.append(begun.plan.name)
    assert seen[:3] == ["resident", "tiled", "quantised"]
    assert begun.refusal().details["plans"] == seen


# ---------------------------------------------------------------- what is said


def test_attention_without_a_kernel_is_said_where_it_matters(
    catalogue: Catalogue, make_task: Callable[..., Draw]
) -> None:
    entry = catalogue.images["sd15"]

    def notes(side: int, **changes: Any) -> list[str]:
        task = make_task(width=side, height=side)
        facts = replace(PASCAL, capability=(8, 6), available=40 * GB, **{"attention": ("math",), **changes})
        return MemoryBudgets(reserve=0, ram_reserve=0).begin(entry, task, facts).notes

    (said,) = notes(768)
    assert said.startswith("Attention took ")
    assert "doctor" in said
    assert notes(256) == [], "so little that nobody needs to know"
    assert notes(768, attention=("efficient", "math")) == []
    assert notes(768, kind="cpu") == []


# ---------------------------------------------------------------- beside a language model


TIGHT = (OutOfMemory(plan="resident", card=0, available=3 * GB),)
"""With 3 GB free, everything on the card has failed."""


@pytest.mark.parametrize(
    ("available", "beside", "ooms", "plan"),
    [
        (5 * GB, 0, (), "resident"),
        (5 * GB, 2 * GB, (), "resident"),
        (3 * GB, 0, TIGHT, "tiled"),
        (3 * GB, 2 * GB, TIGHT, None),
        (100_000_000, 1_000_000, (), None),
    ],
    ids=["nobody there", "room for both", "nobody there, little room", "alone it is quicker", "no room for either"],
)
def test_beside_a_language_model_a_picture_is_drawn_as_it_would_be_alone(
    make_rig: Callable[..., Rig], available: int, beside: int, ooms: tuple[OutOfMemory, ...], plan: str | None
) -> None:
    rig = make_rig(replace(PASCAL, available=available))
    if plan is not None:
        assert rig.draw(beside=beside, oom_history=ooms).plan == plan
        return
    with pytest.raises(JobFailed) as refused:
        rig.draw(beside=beside, oom_history=ooms)
    assert refused.value.code == CROWDED
    assert refused.value.details["spent"] is False
    assert refused.value.details["free"] == available
    assert rig.engine.resident is None, "nothing was done for it"


def test_what_pictures_took_counts_more_than_what_was_estimated(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    peaks = (Peak(plan="resident", card=0, measured=5 * GB),)
    with pytest.raises(JobFailed) as refused:
        rig.draw(beside=2 * GB, peaks=peaks)
    assert refused.value.details["needed"] > 5 * GB
    assert rig.draw(peaks=peaks).plan == "resident", "alone, the plan follows the estimate as it did"


def test_memory_that_runs_out_beside_is_given_back_and_bars_no_plan(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    with pytest.raises(JobFailed) as refused:
        rig.draw(1, beside=2 * GB)
    assert (refused.value.code, refused.value.details["spent"], refused.value.ooms) == (CROWDED, True, [])
    drawn = rig.draw()
    assert (drawn.plan, drawn.ooms, drawn.notes) == ("resident", [], [])
    assert drawn.peak is None, "the processor here tells none"


def test_a_model_stays_where_it_is_when_memory_is_trimmed(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    rig.draw()
    resident = rig.engine.resident
    rig.engine.trim()
    assert rig.engine.resident == resident is not None
    assert rig.draw().load_seconds == 0
