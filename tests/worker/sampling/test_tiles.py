"""Where tiles lie, and what a picture takes with them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from make_requests import resolved

from otterbot_worker.sampling import tiles
from otterbot_worker.sampling.tiles import Tile

PLAIN: dict[str, Any] = {"width": 512, "height": 512, "steps": 30}
HIRES = {"scale": 2, "width": 1024, "height": 1024, "steps": 20, "strength": 0.5, "upscaler": "latent"}


def test_one_tile_where_the_picture_is_no_larger() -> None:
    assert tiles.grid((512, 384), (512, 512), 8) == [Tile(0, 0, 512, 384)]
    assert tiles.grid((512, 512), (512, 512), 8) == [Tile(0, 0, 512, 512)]


@pytest.mark.parametrize("size", [(520, 512), (1024, 1024), (1536, 896), (256, 4096), (904, 1608)])
@pytest.mark.parametrize("tile", [(512, 512), (768, 512), (128, 128)])
def test_tiles_cover_everything_on_the_grid_and_overlap(size: tuple[int, int], tile: tuple[int, int]) -> None:
    found = tiles.grid(size, tile, 8)
    for axis, side in ((0, 2), (1, 3)):
        places = sorted({one[axis] for one in found})
        length = found[0][side]
        assert places[0] == 0
        assert places[-1] + length == size[axis]
        assert all(place % 8 == 0 for place in places)
        for before, after in pairwise(places):
            assert before + length - after >= length // tiles.OVERLAP - 8, "all but the rounding to the multiple"
            assert len(places) < 3 or after - before > length / 3, "so that no place lies under two ramps of one axis"
    assert {one[2:] for one in found} == {found[0][2:]}
    assert len(found) == len(tiles.grid(size, tile)), "the multiple changes no count"


def test_what_a_plain_picture_takes() -> None:
    plain = resolved(**PLAIN)
    assert tiles.runs(plain) == [(512, 512, 30)]
    assert tiles.runs(resolved(**PLAIN, strength=0.5)) == [(512, 512, 15)]
    assert tiles.largest(plain) == tiles.final(plain) == (512, 512)
    assert tiles.work(plain) == pytest.approx(512 * 512 * 30 / 1e6)
    assert not tiles.in_tiles(plain)


def test_a_canvas_around_a_picture_is_what_is_drawn() -> None:
    task = resolved(width=510, height=505, canvas=(512, 512))
    assert tiles.runs(task) == [(512, 512, 30)]
    assert (tiles.largest(task), tiles.final(task), tiles.in_tiles(task)) == ((512, 512), (510, 505), False)


def test_a_second_pass_is_counted_with_its_own_steps_and_size() -> None:
    whole = resolved(**PLAIN, hires={**HIRES, "tile": (1024, 1024)})
    assert tiles.runs(whole) == [(512, 512, 30), (1024, 1024, 10)]
    assert tiles.steps(whole) == 40
    assert tiles.largest(whole) == tiles.final(whole) == (1024, 1024)
    assert not tiles.in_tiles(whole)
    tiled = resolved(**PLAIN, hires={**HIRES, "tile": (512, 512)})
    assert tiles.runs(tiled) == [(512, 512, 30)] + [(512, 512, 10)] * 9
    assert tiles.work(tiled) == pytest.approx(512 * 512 * (30 + 90) / 1e6)
    assert tiles.largest(tiled) == (512, 512)
    assert tiles.final(tiled) == (1024, 1024)
    assert tiles.in_tiles(tiled)


def test_an_upscaled_picture_is_its_tiles() -> None:
    task = resolved(**PLAIN | {"width": 1024}, strength=0.3, upscale={"factor": 2, "tile": (512, 512)})
    assert tiles.runs(task) == [(512, 512, 9)] * 3
    assert tiles.final(task) == (1024, 512)
    assert tiles.largest(task) == (512, 512)
