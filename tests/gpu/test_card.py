"""What can only be seen on a graphics card; without one all of it is skipped.

Full-size models with random weights (``benchmarks/gpu_rig.py``) where sizes count, tiny ones where pixels do, in a
process that may use 8 GiB of the card. Run by ``scripts/test gpu``, wherever a card is at hand.
"""

from __future__ import annotations

from collections.abc import Iterator

import gpu_rig
import pytest
import torch
from gpu_rig import GIB, Rig

from otterbot_worker.images.load import device as devices
from otterbot_worker.memory.placement import PLANS, RESERVE_BYTES, Plan

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA card here"),
]

CAP = 8 * GIB


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    return Rig(tmp_path_factory.mktemp("tiny"), device="cuda", tiny=True, cap=CAP)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    return Rig(tmp_path_factory.mktemp("full"), device="cuda", tiny=False, cap=CAP)


@pytest.fixture(autouse=True)
def clean(request: pytest.FixtureRequest) -> Iterator[None]:
    """What one test taught the engine is none of the next one's business."""
    yield
    for name in ("tiny", "full"):
        if name in request.fixturenames:
            request.getfixturevalue(name).renew()


def test_the_card_is_looked_at() -> None:
    device = torch.device("cuda", 0)
    facts = devices.facts(device)
    assert facts.kind == "cuda"
    assert 0 < facts.available <= facts.total
    assert facts.attention[-1] == "math"
    if facts.capability >= (8, 0):
        assert facts.bf16
        assert "flash" in facts.attention
    query = torch.randn(1, 4, 256, 64, device=device, dtype=torch.float16)
    assert torch.isfinite(torch.nn.functional.scaled_dot_product_attention(query, query, query)).all()


@pytest.mark.parametrize("name", list(gpu_rig.MODELS))
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_every_family_draws_under_every_plan(tiny: Rig, name: str, plan: Plan) -> None:
    drawn = tiny.draw(name, plan=plan)
    if tiny.estimate(name, plan, 64) <= CAP:
        assert drawn.plan == plan.name
    assert len(drawn.watch.steps) > 2


@pytest.mark.parametrize("name", gpu_rig.USUAL)
def test_a_plan_takes_about_what_was_estimated(full: Rig, name: str) -> None:
    """All plans in one test: the weights are made twice for them, and not five times."""
    side = full.entries[name].defaults.width
    for plan in PLANS:
        drawn = full.draw(name, plan=plan, steps=2)
        assert drawn.plan == plan.name, "all of them are estimated to fit, with more than the reserve to spare"
        assert drawn.allocated is not None
        estimate = full.estimate(name, plan, side)
        assert estimate < CAP - RESERVE_BYTES
        assert drawn.allocated <= estimate + RESERVE_BYTES, f"{plan.name}: what the reserve is for"
        assert drawn.allocated >= estimate / 2, f"{plan.name}: it is an estimate of this"


def test_what_does_not_fit_is_drawn_with_the_next_plan_and_said(full: Rig) -> None:
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(2 * GIB / total)  # and the engine believes in eight
    try:
        drawn = full.draw("sd15", steps=2)
    finally:
        torch.cuda.set_per_process_memory_fraction(min(1.0, CAP / total))
    assert drawn.plan in ("offload", "groups")
    assert drawn.allocated is not None
    assert drawn.allocated < 2 * GIB
    assert any("was too large for the free 8.6 GB" in note for note in drawn.notes)


def test_a_model_that_is_put_away_leaves_the_card_and_comes_back_without_its_files(full: Rig) -> None:
    full.draw("sd15", steps=2)
    assert torch.cuda.memory_allocated() > GIB
    full.engine.put_away()
    assert torch.cuda.memory_allocated() < 100_000_000
    again = full.draw("sd15", steps=2)
    assert again.plan == "resident"
    assert full.engine.resident == "sd15"
    full.engine.release()
    assert torch.cuda.memory_allocated() < 100_000_000


def test_what_is_kept_to_compute_with_is_given_back_and_the_model_stays(full: Rig) -> None:
    """Before a language model is loaded beside it."""
    full.draw("sd15", steps=2)
    before = torch.cuda.memory_reserved()
    full.engine.trim()
    assert torch.cuda.memory_reserved() < before
    assert torch.cuda.memory_reserved() - torch.cuda.memory_allocated() < RESERVE_BYTES
    assert full.engine.memory().held_bytes == torch.cuda.memory_reserved()
    assert full.engine.resident == "sd15"
    assert full.draw("sd15", steps=2).plan == "resident"


def test_a_cancel_acts_within_a_second_and_the_next_picture_is_drawn(full: Rig) -> None:
    assert full.draw("ssd-1b", steps=2).plan == "resident"
    for after in (0.02, 0.3):
        late = full.cancel("ssd-1b", after, steps=50)
        assert late is not None
        assert late < 1
        assert full.draw("ssd-1b", steps=2).plan == "resident"
