"""How many steps are drawn from a picture, and the sentence about it."""

from __future__ import annotations

import pytest

from otterbot_worker.inputs import fit


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
