"""SSIM is that of its authors, and the measure finds the steps that change nothing any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from otter_mini import convergence

CHANCE = np.random.default_rng(1)


def pictures(count: int = 2) -> Any:
    return CHANCE.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def test_the_same_picture_is_alike_and_noise_is_not() -> None:
    some = pictures()
    assert convergence.ssim(some, some) == pytest.approx([1, 1], abs=1e-5)
    assert np.abs(convergence.ssim(some, pictures())).max() < 0.2


def test_it_falls_with_more_noise_and_only_a_little_with_brightness() -> None:
    smooth = np.tile(np.linspace(40, 200, 32, dtype=np.uint8)[None, :, None, None], (1, 1, 32, 3))
    noise = CHANCE.normal(size=smooth.shape)
    found = [
        float(convergence.ssim(smooth, np.clip(smooth + amount * noise, 0, 255).astype(np.uint8))[0])
        for amount in (2, 10, 40)
    ]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.9 > 0.4 > found[2]
    assert convergence.ssim(smooth, smooth + 10)[0] > 0.97


def test_flat_pictures_have_the_value_of_the_formula() -> None:
    """Without any structure only brightness is left: (2ab + c) / (a² + b² + c)."""
    dark, light = (np.full((1, 16, 16, 3), value, np.uint8) for value in (51, 102))
    assert convergence.ssim(dark, light)[0] == pytest.approx((2 * 0.2 * 0.4 + 1e-4) / (0.04 + 0.16 + 1e-4), rel=1e-4)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        convergence.ssim(pictures(1), pictures(2))


class Painter:
    """Draws a picture that no longer changes from ``settled`` steps on. Nobody knows that of a model's pictures."""

    steps = 12

    def __init__(self, settled: int) -> None:
        self.settled = settled
        self.goal = pictures(1)

    def worded(self, prompt: str, seeds: Sequence[int], *, steps: int) -> Any:
        off = max(0, self.settled - steps) * 12
        return np.repeat(np.clip(self.goal.astype(int) + off * (-1) ** np.arange(32)[:, None], 0, 255), len(seeds), 0)


@pytest.mark.parametrize(("settled", "holds"), [(10, True), (20, False)])
def test_enough_is_where_nothing_changes_any_more(settled: int, holds: bool) -> None:
    painter: Any = Painter(settled)
    outcome = convergence.measure(painter, range(2), prompts=2)
    alike = {int(row["steps"]): float(row["SSIM"]) for row in outcome.rows}
    assert list(alike) == [6, 8, 10, 12, 15, 20, 30, 50]
    assert outcome.holds == holds
    assert {steps for steps, value in alike.items() if value > 0.999} == {steps for steps in alike if steps >= settled}
    assert next(row["times as fast"] for row in outcome.rows if row["steps"] == 12) == 1
