"""The correlation of edges tells a kept layout from another."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from otter_mini.drawing import draw
from otter_mini.edges import edge_correlation, edges
from otter_mini.judge import Pixels
from otter_mini.scenes import Scene, sample


def pictures(scenes: list[Scene]) -> Pixels:
    return np.stack([np.asarray(draw(scene)) for scene in scenes])


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    rng = random.Random("edges")
    return [sample(rng, style="cartoon", animal="otter", place=place) for place in ("beach", "city", "forest", None)]


def test_a_picture_has_its_own_layout(scenes: list[Scene]) -> None:
    drawn = pictures(scenes)
    assert edge_correlation(drawn, drawn) == pytest.approx(np.ones(len(drawn)), abs=1e-4)


def test_another_scene_has_another_one(scenes: list[Scene]) -> None:
    drawn = pictures(scenes)
    assert edge_correlation(drawn, np.roll(drawn, 1, axis=0)).max() < 0.7


def test_light_and_strength_do_not_matter(scenes: list[Scene]) -> None:
    drawn = pictures(scenes)
    paler = (drawn * 0.5 + 80).astype(np.uint8)
    assert edge_correlation(drawn, paler).min() > 0.98


def test_a_step_aside_loses_it(scenes: list[Scene]) -> None:
    near, here, far = (pictures([replace(scene, dx=dx) for scene in scenes]) for dx in (1, 0, 9))
    assert (edge_correlation(here, near) > edge_correlation(here, far) + 0.1).all()


def test_a_flat_picture_has_none() -> None:
    flat = np.full((2, 32, 32, 3), 90, np.uint8)
    assert edges(flat).max() == pytest.approx(0, abs=1e-3)
    assert list(edge_correlation(flat, flat)) == [0, 0]


def test_pictures_of_two_sizes_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        edge_correlation(np.zeros((1, 16, 16, 3), np.uint8), np.zeros((1, 32, 32, 3), np.uint8))
