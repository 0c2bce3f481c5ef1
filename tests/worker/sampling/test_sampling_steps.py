"""How many steps are drawn from a picture, and the sentence about it."""

from __future__ import annotations

from typing import Any

import pytest
from make_requests import resolved

from otterbot_worker.sampling import sampling_steps


@pytest.mark.parametrize(
    ("steps", "strength", "true"),
    [(30, 0.6, 18), (30, None, 30), (30, 1.0, 30), (50, 0.58, 29), (4, 0.1, 1), (1, 0.001, 1), (49, 1 / 49, 1)],
)
def test_the_steps(steps: int, strength: float | None, true: int) -> None:
    assert sampling_steps.true_steps(steps, strength) == true


@pytest.mark.parametrize(
    ("steps", "strength", "laid_out"),
    [
        (30, 0.6, 30), (30, None, 30), (1, 1.0, 1), (1, 0.6, 2), (4, 0.1, 10), (4, 0.25, 4), (49, 1 / 49, 49),
        (1, 1e-320, 200), (1, 0.05, 20),
    ],
)  # fmt: skip
def test_few_steps_of_a_little_strength(steps: int, strength: float | None, laid_out: int) -> None:
    assert sampling_steps.schedule(steps, strength) == laid_out
    assert laid_out == steps or sampling_steps.true_steps(laid_out, strength) == 1


def test_what_is_said() -> None:
    request: dict[str, Any] = {"width": 592, "height": 440, "steps": 30, "strength": 0.6}
    assert sampling_steps.notes(resolved(**request), 8) == []
    picture = {"id": "0", "width": 4000, "height": 3000}
    assert sampling_steps.notes(resolved(**request, init_image=picture), 8) == [
        "The picture has 4000x3000 pixels and was drawn at 592x440 (its shape, in multiples of 8). "
        "A strength of 0.6 takes 18 of the 30 steps."
    ]
    square = resolved(**request | {"width": 512, "height": 512}, init_image=picture)
    assert "(its middle)" in sampling_steps.notes(square, 8)[0]
    same = resolved(**request | {"strength": 0.01}, init_image={**picture, "width": 592, "height": 440})
    assert sampling_steps.notes(same, 8) == ["A strength of 0.01 takes one step, the last of 100."]
    upscaled = resolved(**request, init_image=picture, upscale={"factor": 2, "tile": (592, 440)})
    assert len(sampling_steps.notes(upscaled, 8)) == 1


def test_what_is_said_of_a_picture_that_steers() -> None:
    request: dict[str, Any] = {"width": 512, "height": 768, "steps": 30}
    control = {
        "id": "0", "width": 640, "height": 480, "kind": "canny", "scale": 1, "start": 0, "end": 1, "name": "net",
        "hash": None, "hub": None,
    }  # fmt: skip
    assert sampling_steps.notes(resolved(**request, control=control), 8) == [
        "The picture that steers has 640x480 pixels and was drawn at 512x768 (its middle)."
    ]
    assert sampling_steps.notes(resolved(**request, control={**control, "width": 512, "height": 768}), 8) == []
    both = sampling_steps.notes(resolved(**request, control=control, init_image=control, strength=0.5), 8)
    assert [note.split(" has ")[0] for note in both] == ["The picture", "The picture that steers"]
