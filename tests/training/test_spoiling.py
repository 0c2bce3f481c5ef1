"""Spoilt drawings: every kind can be seen, follows from its seed, and is ordered by the measure of sharpness."""

from __future__ import annotations

import random

import numpy as np
import pytest
from PIL import Image, ImageFilter

from otter_mini import spoiling
from otter_mini.drawing import draw, spoil
from otter_mini.scenes import STYLES, sample
from otter_mini.sharpness import ratios, sharpness
from otter_mini.spoiling import KINDS, WORDINGS, Spoiling

COUNT = 3


def drawings(style: str, size: int = 256) -> list[Image.Image]:
    return [draw(sample(random.Random(f"{style}/{number}"), style=style), size=size) for number in range(COUNT)]


def stacked(pictures: list[Image.Image]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.stack([np.asarray(picture) for picture in pictures])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [128, 256])
def test_every_kind_changes_the_picture_and_follows_from_its_seed(kind: str, size: int) -> None:
    clean = draw(sample(random.Random(kind), place="beach", time="day", style="cartoon"), size=size)
    how = Spoiling(kinds=(kind,), strength=0.5, seed=3)
    once, again = spoil(clean, how), spoil(clean, how)
    assert (once.size, once.mode) == (clean.size, "RGB")
    assert once.tobytes() == again.tobytes()
    changed = np.abs(np.asarray(once, np.int64) - np.asarray(clean, np.int64)).max(axis=2) > 12
    assert changed.mean() > 0.01
    assert once.tobytes() != clean.tobytes()


def test_samples_are_of_every_kind_and_some_of_many() -> None:
    chance = random.Random(1)
    found = [spoiling.sample(chance) for _ in range(400)]
    assert {kind for how in found for kind in how.kinds} == set(KINDS)
    assert 0.1 < sum(how.heavy for how in found) / 400 < 0.25
    for how in found:
        assert len(set(how.kinds)) == len(how.kinds)
        said = spoiling.words(how, chance)
        assert said
        assert how.heavy or all(any(word in WORDINGS[kind] for kind in how.kinds) for word in said)
    assert spoiling.sample(chance, "letters").kinds == ("letters",)


@pytest.mark.parametrize("style", STYLES)
def test_sharpness_falls_with_blur_and_is_low_in_blocks(style: str) -> None:
    clean = drawings(style)
    before = stacked(clean)
    slightly, blurred, very = (
        ratios(stacked([picture.filter(ImageFilter.GaussianBlur(radius)) for picture in clean]), before)
        for radius in (0.7, 1.5, 3.0)
    )
    blocks = ratios(
        stacked([spoil(p, Spoiling(kinds=("blocks",), strength=0.5, seed=n)) for n, p in enumerate(clean)]), before
    )
    assert (slightly < 0.95).all()
    assert (slightly > blurred + 0.05).all()
    assert (blurred > very).all()
    assert (blocks < slightly).all()


def test_sharpness_does_not_depend_on_contrast() -> None:
    clean = stacked(drawings("cartoon"))
    paler = (clean * 0.6 + 60).astype(np.uint8)
    assert sharpness(paler) == pytest.approx(sharpness(clean), rel=0.03)
    assert sharpness(np.full((1, 64, 64, 3), 9, np.uint8)) == [0]
    assert ratios(np.full((1, 64, 64, 3), 9, np.uint8), np.full((1, 64, 64, 3), 9, np.uint8)) == [1]


def test_pictures_of_two_sizes_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        ratios(np.zeros((1, 16, 16, 3), np.uint8), np.zeros((1, 32, 32, 3), np.uint8))
