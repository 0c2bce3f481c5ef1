"""Sizes and steps: what is drawn from a picture, and the sentence about it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from otterbot_worker.inputs import fit


@dataclass(frozen=True)
class Limits:
    size_min: int = 256
    size_max: int = 1024
    size_multiple: int = 8
    pixels_max: int = 1024 * 1024


USUAL = 512 * 512


@pytest.mark.parametrize(
    ("picture", "asked", "expected"),
    [
        ((512, 512), (None, None), (512, 512)),
        ((64, 64), (None, None), (512, 512)),
        ((4000, 3000), (None, None), (592, 440)),
        ((3000, 4000), (None, None), (440, 592)),
        ((1000, 667), (None, None), (624, 416)),
        ((16_000, 16), (None, None), (1024, 256)),
        ((16, 16_000), (None, None), (256, 1024)),
        ((4000, 3000), (256, 768), (256, 768)),
        ((4000, 3000), (640, None), (640, 480)),
        ((4000, 3000), (None, 600), (800, 600)),
        ((4000, 3000), (7, 9), (7, 9)),  # refused by the limits, not bent here
    ],
)
def test_the_size(picture: tuple[int, int], asked: tuple[int | None, int | None], expected: tuple[int, int]) -> None:
    assert fit.size(picture, Limits(), USUAL, *asked) == expected


@pytest.mark.parametrize("multiple", [8, 64])
def test_no_shape_leaves_the_limits(multiple: int) -> None:
    limits = Limits(size_min=100, size_max=1000, size_multiple=multiple, pixels_max=600 * 600)
    for width in range(16, 3000, 37):
        made = fit.size((width, 700), limits, 600 * 600, None, None)
        assert all(100 <= side <= 1000 and side % multiple == 0 for side in made), (width, made)
        assert made[0] * made[1] <= limits.pixels_max


@pytest.mark.parametrize(
    ("steps", "strength", "true"),
    [(30, 0.6, 18), (30, None, 30), (30, 1.0, 30), (50, 0.58, 29), (4, 0.1, 1), (1, 0.001, 1), (49, 1 / 49, 1)],
)
def test_the_steps(steps: int, strength: float | None, true: int) -> None:
    assert fit.true_steps(steps, strength) == true


def test_what_is_said() -> None:
    request = {"width": 592, "height": 440, "steps": 30, "strength": 0.6}
    assert fit.note({**request, "init_image": None}, 8) is None
    picture = {"id": "0", "width": 4000, "height": 3000}
    assert fit.note({**request, "init_image": picture}, 8) == (
        "The picture has 4000x3000 pixels and was drawn at 592x440 (its shape, in multiples of 8). "
        "A strength of 0.6 takes 18 of the 30 steps."
    )
    assert "(its middle)" in str(fit.note({**request, "width": 512, "height": 512, "init_image": picture}, 8))
    same = {**request, "init_image": {**picture, "width": 592, "height": 440}, "strength": 0.01}
    assert fit.note(same, 8) == "A strength of 0.01 takes 1 of the 30 steps."
