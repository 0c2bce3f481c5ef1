"""The simulation of a shared card (``benchmarks/lease_simulation.py``) runs, and comes out as it must."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from lease_simulation import MODES, simulate
from simulated_card import PAIRS, Pair

from otterbot_worker.models.catalogue import load_catalogue


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair.image}-{len(pair.sides)}")
def test_models_that_fit_swap_nothing_and_others_lose_nothing(pair: Pair, tmp_path: Path) -> None:
    catalogue = load_catalogue(data_dir=tmp_path)
    exclusive, measured = (simulate(pair, (30, 30), 1, mode, catalogue) for mode in MODES)
    assert all(row.done > row.at for hour in (exclusive, measured) for row in hour.rows)
    assert exclusive.swaps > 10
    if pair.image == "sd15":
        assert measured.swaps == 2, "each was loaded once"
        assert measured.wait("chat") < exclusive.wait("chat")
        assert measured.wait("image") < exclusive.wait("image")
    else:
        assert [row.done for row in measured.rows] == [row.done for row in exclusive.rows]
