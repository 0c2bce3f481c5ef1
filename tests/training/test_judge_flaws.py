"""What the judge's drawings are put through before it sees them."""

from __future__ import annotations

import pytest
import torch

from otter_mini import flaws


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.rand(flaws.GROUP * 2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_the_same_chance_gives_the_same_flaws(pictures: torch.Tensor) -> None:
    one, two, other = (flaws.flawed(pictures, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])
    assert not torch.equal(one[0], other[0])


def test_flaws_keep_the_form_and_leave_the_original_alone(pictures: torch.Tensor) -> None:
    before = pictures.clone()
    soiled, softness = flaws.flawed(pictures, torch.Generator().manual_seed(3))
    assert soiled.shape == pictures.shape
    assert soiled.min() >= 0
    assert soiled.max() <= 1
    assert softness.shape == (len(pictures),)
    assert torch.equal(pictures, before)


@pytest.mark.parametrize("soften", [lambda p: flaws.blurred(p, 1.5), lambda p: flaws.reduced(p, 0.5)])
def test_softening_takes_details_and_keeps_colours(pictures: torch.Tensor, soften: object) -> None:
    assert callable(soften)
    flat = torch.full((2, 3, 64, 64), 0.3)
    assert torch.allclose(soften(flat), flat, atol=1e-4)
    assert soften(pictures).std() < 0.7 * pictures.std()


def test_every_tile_leaves_its_place(pictures: torch.Tensor) -> None:
    mixed = flaws.shuffled(pictures[:4], torch.Generator().manual_seed(2), tile=16)
    before, after = (torch.nn.functional.unfold(p, 16, stride=16) for p in (pictures[:4], mixed))
    assert not (before == after).all(dim=1).any()
    assert torch.allclose(before.sum(dim=2), after.sum(dim=2), atol=1e-4)


def test_nothing_has_the_size_asked_for() -> None:
    empty, some = (flaws.nothing(count, 32, torch.Generator().manual_seed(1)) for count in (0, 5))
    assert empty.shape == (0, 3, 32, 32)
    assert some.shape == (5, 3, 32, 32)
    assert 0 <= some.min() <= some.max() <= 1
