"""What the autoencoder's loss looks at."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from otter_mini import faces, vae
from otter_mini.drawing import draw
from otter_mini.recipe import Recipe, Vae
from otter_mini.scenes import ANIMALS, COLOURED, sample


def test_faces_count_more() -> None:
    """Where glasses change a drawing, whatever animal wears them; and all counts as much as without."""
    weights = faces.importance(128, 128, 4.0)
    assert torch.isclose(weights.mean(), torch.tensor(1.0))
    for animal in ANIMALS:
        rng = random.Random(animal)
        bare = sample(rng, animal=animal, face=None, place="beach", style="cartoon", hat=None)
        pictures = [np.asarray(draw(replace(bare, face=face), size=128)).astype(int) for face in (None, "glasses")]
        changed = torch.from_numpy(np.abs(pictures[0] - pictures[1]).sum(axis=2) > 30)
        assert 50 < changed.sum() < 2000
        assert weights[changed].mean() > 1.5, animal


@pytest.mark.parametrize("item", COLOURED["item"])
def test_what_is_held_up_counts_more_where_something_is(item: str) -> None:
    with_it, without = faces.importance(128, 128, 2.0, 2.0), faces.importance(128, 128, 2.0)
    assert torch.isclose(with_it.mean(), torch.tensor(1.0))
    for animal in ANIMALS:
        bare = sample(random.Random(animal), animal=animal, item=None, place=None, style="cartoon", item_colour="red")
        pictures = [np.asarray(draw(replace(bare, item=held), size=128)).astype(int) for held in (None, item)]
        changed = torch.from_numpy(np.abs(pictures[0] - pictures[1]).sum(axis=2) > 30)
        assert with_it[changed].mean() > 1.3 * without[changed].mean(), animal


def test_a_loss_knows_a_face_from_a_border() -> None:
    wanted = torch.zeros(1, 3, 64, 64)
    eye, corner = wanted.clone(), wanted.clone()
    eye[..., 22:25, 26:29] = 1
    corner[..., 2:5, 2:5] = 1
    losses = [float(vae.sharpness_loss(made, wanted, Vae())) for made in (eye, corner)]
    even = [float(vae.sharpness_loss(made, wanted, Vae(face_weight=0.0))) for made in (eye, corner)]
    assert losses[0] > 2.5 * losses[1]
    assert np.isclose(even[0], even[1])


def test_one_large_error_counts_more_than_many_small_ones() -> None:
    wanted = torch.zeros(1, 3, 64, 64)
    even = {"gradient_loss": 0.0, "face_weight": 0.0}
    spread, outline = wanted + 0.02, wanted.clone()
    outline[..., 32, :41] = 2.0  # black for white, and as much in the sum: 64 * 64 * 0.02
    by_sum = [float(vae.sharpness_loss(made, wanted, Vae(square_loss=0.0, **even))) for made in (spread, outline)]
    by_squares = [float(vae.sharpness_loss(made, wanted, Vae(**even))) for made in (spread, outline)]
    assert np.isclose(by_sum[0], by_sum[1], rtol=0.05)
    assert by_squares[1] > 5 * by_squares[0]


def test_some_pictures_are_rolled_by_less_than_a_latent() -> None:
    """People's own pictures do not stand where latents begin."""
    recipe = Recipe.tiny()
    pictures = np.zeros((1, 64, 64, 3), np.uint8)
    pictures[0, 0, 0] = 255
    for share in (0.0, 0.5, 1.0):
        rolling = replace(recipe, vae=replace(recipe.vae, rolled=share))
        seen = [vae.sample(pictures, rolling, 4, "vae", step) for step in range(50)]
        places = [tuple(np.argwhere(picture.any(axis=-1))[0]) for some in seen for picture in some]
        assert all(0 <= side < recipe.vae.factor for place in places for side in place)
        moved = sum(place != (0, 0) for place in places) / len(places)
        assert abs(moved - share) < 0.1
    assert pictures[0, 0, 0].all(), "the drawings themselves stay"
