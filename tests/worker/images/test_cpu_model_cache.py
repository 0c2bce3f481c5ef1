"""Models that wait in the computer's memory. There is no card here: how much memory there is says a double."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from otterbot_worker.gpu.messages import Draw, Drawn
from otterbot_worker.images import residency
from otterbot_worker.images.engine import Engine
from otterbot_worker.memory import placement
from otterbot_worker.memory.device_info import DeviceInfo
from otterbot_worker.memory.oom_history import OutOfMemory
from otterbot_worker.memory.placement import OFFLOAD, PLANS, QUANTISED, RESIDENT
from otterbot_worker.models.catalogue import Catalogue
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.models.estimates import needs_of

pytestmark = pytest.mark.filterwarnings("ignore")

GB = 10**9
PASCAL = DeviceInfo(
    kind="cuda", total=8 * GB, available=6 * GB, ram_available=12 * GB, capability=(6, 1), attention=("math", "flash")
)


class Quiet:
    def progress(self, phase: str, step: int = 0, steps: int = 0) -> None:
        pass

    def check(self) -> None:
        pass


class Rig:
    def __init__(self, make_task: Callable[..., Draw], entries: dict[str, ModelEntry]) -> None:
        self._make_task, self.entries = make_task, entries
        self.facts = PASCAL
        self.engine = Engine(device="cpu", threads=1, ram_reserve=2 * GB, measure=lambda _device, _held: self.facts)

    def draw(self, name: str, **changes: Any) -> Drawn:
        task = self._make_task(entry=self.entries[name], steps=2, **changes)
        drawn = self.engine.draw(task, Quiet())
        self.picture = np.frombuffer(task.output.read_bytes(), np.uint8)
        return drawn

    @property
    def waiting(self) -> list[str]:
        return self.engine.residency.cpu_cache.names


@pytest.fixture
def rig(make_task: Callable[..., Draw], catalogue: Catalogue) -> Rig:
    names = {"sd": "tiny-sd", "sdxl": "tiny-xl", "mini": "otter-mini", "refined": "tiny-refined"}
    return Rig(make_task, {short: catalogue.images[name] for short, name in names.items()})


def test_switching_back_reads_no_file_and_draws_the_same(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.draw("refined")
    first = rig.picture
    rig.draw("mini")
    assert rig.waiting == ["tiny-refined"]
    monkeypatch.setattr(residency, "load", None)
    drawn = rig.draw("refined")
    assert drawn.load_seconds == 0
    assert (rig.picture == first).all()
    assert rig.waiting == ["otter-mini"]


def test_another_plan_of_the_same_model_comes_from_memory_unless_it_was_quantised(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed_before(number: int) -> list[dict[str, Any]]:
        needs, precision = needs_of(rig.entries["sdxl"]), PASCAL.precision()
        cards = {one.name: placement.estimate(needs, one, 96 * 64, precision).card for one in PLANS[:number]}
        return [OutOfMemory(plan=name, card=card, available=10**12) for name, card in cards.items()]

    assert rig.draw("sdxl").plan == RESIDENT.name
    first = rig.picture
    with monkeypatch.context() as patch:
        patch.setattr(residency, "load", None)
        assert rig.draw("sdxl", width=96, oom_history=failed_before(2)).plan == OFFLOAD.name
        assert rig.draw("sdxl").plan == RESIDENT.name
        assert (rig.picture == first).all()
    assert rig.draw("sdxl", width=96, oom_history=failed_before(4)).plan == QUANTISED.name
    assert rig.waiting == [], "what is in 8 bits cannot be undone, and is not kept beside the other"
    assert rig.draw("sdxl").load_seconds > 0
    assert (rig.picture == first).all()


def test_as_many_wait_as_memory_allows_and_the_longest_unused_goes_first(rig: Rig) -> None:
    for name in ("sd", "sdxl", "mini"):
        rig.draw(name)
    assert rig.waiting == ["tiny-sd", "tiny-xl"]
    sdxl = weakref.ref(rig.engine.residency.cpu_cache._kept[1].pipe.unet)
    rig.draw("sd")
    assert rig.waiting == ["tiny-xl", "otter-mini"]
    # The reserve is not all there any more: for the next one the longest unused makes room, and that is enough.
    rig.facts = replace(PASCAL, ram_available=2 * GB - 1_000_000)
    rig.draw("mini")
    assert rig.waiting == ["tiny-sd"]
    assert sdxl() is None, "it is really gone"
    rig.facts = replace(PASCAL, ram_available=1 * GB)
    rig.draw("refined")
    assert rig.waiting == [], "there is no memory for one that waits"
    assert rig.engine.resident == "tiny-refined"


@contextmanager
def no_collection() -> Iterator[None]:
    """What is gone in here is gone because somebody saw to it."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_a_model_that_makes_room_is_gone_before_the_next_one_moves_in(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sd", "sdxl"):
        rig.draw(name)
    weights = weakref.ref(rig.engine.residency.cpu_cache._kept[0].pipe.unet.conv_in.weight)
    assert rig.engine.residency.cpu_cache._kept[0].pipe.unet.otterbot_cast, "with hooks, which make cycles"
    rig.facts = replace(PASCAL, ram_available=2 * GB - 1_000_000)
    seen: list[bool] = []
    put_away = residency.put_away
    monkeypatch.setattr(residency, "put_away", lambda loaded: (seen.append(weights() is None), put_away(loaded)))
    with no_collection():
        rig.engine.put_away()
    assert (rig.waiting, seen) == (["tiny-xl"], [True])


def test_one_that_does_not_serve_is_gone_before_another_is_loaded(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.draw("sdxl")
    rig.engine.put_away()
    weights = weakref.ref(rig.engine.residency.cpu_cache._kept[0].pipe.unet.conv_in.weight)
    with no_collection():
        assert rig.engine.residency.cpu_cache.take(rig.entries["sdxl"], QUANTISED) is None
        assert weights() is None


def test_the_language_model_sends_it_to_the_shelf_and_memory_that_runs_out_empties_it(rig: Rig) -> None:
    rig.draw("mini")
    rig.engine.put_away()
    assert (rig.engine.resident, rig.waiting) == (None, ["otter-mini"])
    rig.draw("mini")
    assert (rig.engine.resident, rig.waiting) == ("otter-mini", [])
    rig.draw("sd")

    class Tight(Quiet):
        left = 1

        def progress(self, phase: str, step: int = 0, steps: int = 0) -> None:
            if phase == "denoising" and self.left:
                self.left -= 1
                raise torch.OutOfMemoryError("CUDA out of memory")

    task = rig._make_task(entry=rig.entries["sd"], steps=2)
    drawn = rig.engine.draw(task, Tight())
    assert (drawn.plan, rig.waiting) == ("tiled", [])
