"""The schedule over a few hours that never were: what the benchmark says has to be true of small ones too."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import schedule_simulation as simulation


def waits(name: str, seed: int, use: int) -> tuple[simulation.Run, simulation.Run, simulation.Ours]:
    make, rates = simulation.SCENES[name]
    asked, ours = make(random.Random(seed), rates[use]), simulation.Ours()
    base, mine = (simulation.run(asked, how, lanes=1, together=False) for how in (simulation.first_come, ours))
    return base, mine, ours


@pytest.mark.parametrize("name", simulation.SCENES)
def test_nobody_is_overtaken_beyond_the_bounds(name: str) -> None:
    _, mine, ours = waits(name, 1, 2)
    assert all(row.done > row.at for row in mine.rows)
    assert 0 < ours.most[True] <= simulation.BOUNDS.talk
    assert 0 < ours.most[False] <= simulation.BOUNDS.picture


def test_a_busy_household_waits_less() -> None:
    shares = [
        (mine.wait() / base.wait()) for base, mine, _ in (waits("household, 6 people", seed, 2) for seed in range(3))
    ]
    assert max(shares) < 0.8


def test_neighbours_of_a_hog_hardly_wait() -> None:
    base, mine, _ = waits("a hog of 40 beside 5", 0, 1)

    def others(one: simulation.Run) -> float:
        return one.wait(lambda row: not row.owner.startswith("hog"))

    assert others(mine) < 0.3 * others(base)


def test_two_cards_share_the_work() -> None:
    asked = simulation.party(random.Random(2), 0.03)
    one, two = (simulation.run(asked, simulation.Ours(), lanes=lanes, together=False) for lanes in (1, 2))
    assert two.wait() < one.wait() / 2
    assert len(two.rows) == len(asked)
