"""Second passes and upscaled pictures on small real pipelines of both families, in this process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine_lab import Watcher
from PIL import Image

from otterbot_worker.errors import Cancelled, JobFailed
from otterbot_worker.gpu.messages import Draw, Drawn
from otterbot_worker.images.draw import decoding, hires_pass
from otterbot_worker.images.engine import Engine
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.sampling import tiles

Draws = Callable[..., tuple[Drawn, bytes]]
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def draw(engine: Engine, make_task: Callable[..., Draw], entries: dict[str, ModelEntry]) -> Draws:
    def draw(*, family: str = "sd", watcher: Watcher | None = None, **changes: Any) -> tuple[Drawn, bytes]:
        task = make_task(entry=entries[family], **{"steps": 4, **changes})
        drawn = engine.draw(task, watcher or Watcher())
        return drawn, task.output.read_bytes()

    return draw


@pytest.fixture
def start(tmp_path: Path) -> Path:
    path = tmp_path / "start.png"
    image = Image.new("RGB", (64, 64))
    image.putdata([(255 * x // 64, 255 * y // 64, 80) for y in range(64) for x in range(64)])
    image.save(path)
    return path


def hires(size: tuple[int, int] = (128, 96), tile: tuple[int, int] | None = None, **changes: Any) -> dict[str, Any]:
    fields = {"scale": 2.0, "strength": 0.5, "steps": 4, "upscaler": "latent", "width": size[0], "height": size[1]}
    return {**fields, "tile": list(tile or size), **changes}


def upscaled(start: Path, size: tuple[int, int] = (128, 96), tile: tuple[int, int] = (64, 64)) -> dict[str, Any]:
    upscale = {"factor": 2, "tile": list(tile)}
    return {"init_image": str(start), "strength": 0.5, "width": size[0], "height": size[1], "upscale": upscale}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_every_setting_acts_and_the_same_are_the_same(draw: Draws, family: str) -> None:
    changes: list[dict[str, Any]] = [
        hires(), hires(upscaler="lanczos"), hires(strength=1.0), hires(steps=8), hires(tile=(64, 64)),
        hires(tile=(64, 64), upscaler="lanczos"), hires(size=(96, 96)),
    ]  # fmt: skip
    drawn = [draw(family=family, hires=change) for change in changes]
    assert [(one.width, one.height) for one, _ in drawn] == [(change["width"], change["height"]) for change in changes]
    assert all(len(data) == one.width * one.height * 3 for one, data in drawn)
    assert len({sha(data) for _, data in drawn}) == len(drawn)
    assert [draw(family=family, hires=change)[1] for change in changes[:5]] == [data for _, data in drawn[:5]]
    assert draw(family=family, hires=changes[4], seed=8)[1] != drawn[4][1]


def test_one_step_keeps_as_much_as_the_strength_says(draw: Draws, start: Path) -> None:
    """One step of one would be all of them, whatever the strength."""
    assert len({draw(hires=hires(steps=1, strength=strength))[1] for strength in (1.0, 0.6, 0.1)}) == 3
    assert len({draw(**upscaled(start), **few)[1] for few in ({"steps": 1}, {"steps": 2})}) == 1


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_where_one_tile_suffices_upscaling_is_image_to_image(draw: Draws, start: Path, family: str) -> None:
    whole = upscaled(start, (96, 64), (96, 96))
    plain = {**whole, "upscale": None}
    for sampler in ("UniPC", "Euler a"):
        assert draw(family=family, sampler=sampler, **whole)[1] == draw(family=family, sampler=sampler, **plain)[1]


def test_the_first_pass_is_the_picture_without_a_second(draw: Draws, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []
    second = hires_pass.second_pass

    def look(drawing: Any, latents: Any) -> Any:
        seen.append(latents)
        return second(drawing, latents)

    monkeypatch.setattr(hires_pass, "second_pass", look)
    draw(hires=hires())
    found: list[torch.Tensor] = []
    decode = decoding.decode

    def keep(loaded: Any, latents: torch.Tensor, seed: int) -> Any:
        found.append(latents)
        return decode(loaded, latents, seed)

    monkeypatch.setattr("otterbot_worker.images.draw.picture.decode", keep)
    draw()
    assert torch.equal(seen[0], found[0])


@pytest.mark.parametrize(
    ("changes", "total"),
    [
        ({"hires": hires()}, 4 + 2),
        ({"hires": hires(steps=8)}, 4 + 4),
        ({"hires": hires(tile=(64, 64))}, 4 + 3 * 2 * 2),
        ({"hires": hires(tile=(64, 64), strength=0.01)}, 4 + 3 * 2),
    ],
)
@pytest.mark.parametrize("sampler", ["Euler", "UniPC"])
def test_progress_counts_all_passes_as_one(draw: Draws, changes: dict[str, Any], total: int, sampler: str) -> None:
    watcher = Watcher()
    draw(watcher=watcher, sampler=sampler, **changes)
    seen = [(step, steps) for phase, step, steps in watcher.phases if phase == "denoising"]
    assert seen == [(step, total) for step in range(total + 1)]
    assert watcher.phases[-1] == ("saving", total, total)
    tiled = changes["hires"]["tile"] == [64, 64]
    assert ("decoding" in [phase for phase, *_ in watcher.phases]) is not tiled, "tiles are decoded between their steps"


def test_an_upscaled_pictures_steps_are_its_tiles(draw: Draws, start: Path, make_task: Callable[..., Draw]) -> None:
    watcher = Watcher()
    changes = upscaled(start)
    drawn, _ = draw(watcher=watcher, sampler="Heun", **changes)
    task = make_task(steps=4, **changes)
    assert tiles.steps(task) == 3 * 2 * 2
    last = [(step, steps) for phase, step, steps in watcher.phases if phase == "denoising"][-1]
    assert last[0] == last[1] > tiles.steps(task), "a sampler of the second order takes more"
    assert (drawn.width, drawn.height) == (128, 96)


@pytest.mark.parametrize("upscaler", ["latent", "lanczos"])
def test_cancel_within_any_tile(draw: Draws, upscaler: str) -> None:
    whole = Watcher()
    expected = draw(watcher=whole, hires=hires(tile=(64, 64), upscaler=upscaler))[1]
    for part in (0.3, 0.6, 0.95):
        watcher = Watcher(after=int(whole.looks * part))
        with pytest.raises(Cancelled):
            draw(watcher=watcher, hires=hires(tile=(64, 64), upscaler=upscaler))
        assert watcher.looks <= int(whole.looks * part) + 1
    assert draw(hires=hires(tile=(64, 64), upscaler=upscaler))[1] == expected, "nothing is left of them"


def test_a_refiner_has_its_part_in_the_first_pass_alone(
    draw: Draws, entries: dict[str, ModelEntry], catalogue: Any, start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(entries, "refined", catalogue.images["tiny-refined"])
    plain, refined = (draw(family=family, steps=5, hires=hires()) for family in ("sdxl", "refined"))
    assert plain[0].refiner is None
    assert refined[0].refiner is not None
    assert (plain[0].notes, refined[0].notes) == ([], ["The second pass was drawn without the refiner."])
    assert plain[1] != refined[1]
    watcher = Watcher()
    drawn, data = draw(family="refined", steps=5, watcher=watcher, **upscaled(start))
    assert (drawn.refiner, drawn.notes) == (None, ["Pictures are upscaled without the refiner."])
    assert data == draw(family="sdxl", steps=5, **upscaled(start))[1]


@pytest.mark.parametrize("size", [(128, 96), (200, 136), (64, 64)])
def test_tiles_fade_into_one_picture(size: tuple[int, int]) -> None:
    """Of one colour they make that colour: what all of them give adds up to one everywhere."""
    grid = tiles.grid(size, (64, 64), 8)
    canvas = np.zeros((size[1], size[0], 3), np.float32)
    for one in grid:
        hires_pass._fade_in(canvas, np.full((one.height, one.width, 3), 200, np.uint8), one, grid)
    assert np.abs(canvas - 200).max() < 0.01


def test_a_tile_gives_nothing_at_the_edge_of_what_it_shares() -> None:
    weights = hires_pass.fade([(0, 64), (48, 64)], (0, 64))
    assert (weights[:52] == 1).all()
    assert (weights[60:] == 0).all()
    assert (np.diff(weights[51:61]) < 0).any()
    assert np.allclose(weights[48:] + hires_pass.fade([(0, 64), (48, 64)], (48, 64))[:16], 1)


def test_what_is_coarse_stays_and_what_is_fine_is_drawn(
    draw: Draws, start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last step the means of cells are those of the enlarged picture, in every tile."""
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    again = hires_pass._again

    def look(drawing: Any, latents: torch.Tensor, *rest: Any) -> torch.Tensor:
        drawn = again(drawing, latents, *rest)
        seen.append((latents, drawn))
        return drawn

    monkeypatch.setattr(hires_pass, "_again", look)
    draw(**upscaled(start))
    assert len(seen) == 6
    for before, after in seen:
        coarse, fine = hires_pass._coarse(after - before), after - before
        assert coarse.abs().mean() < 0.5 * fine.abs().mean()
        assert fine.abs().mean() > 0.01


def test_a_black_tile_is_none_to_complain_about(draw: Draws, start: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A night sky may be; a black picture is an error, as it is without tiles."""
    decode, calls = hires_pass.decode, []

    def dark(*values: Any, **named: Any) -> Any:
        calls.append(1)
        pixels, notes = decode(*values, **named)
        return pixels * (len(calls) > black), notes

    monkeypatch.setattr(hires_pass, "decode", dark)
    black = 1
    draw(**upscaled(start))
    black = 1000
    with pytest.raises(JobFailed) as failure:
        draw(**upscaled(start))
    assert failure.value.code == "nan"


@pytest.mark.parametrize(
    "change",
    [{"width": 100}, {"height": 8192}, {"tile": [60, 64]}, {"steps": 0}, {"strength": 0.0}, {"strength": float("nan")}],
)
def test_the_last_line_of_defence(draw: Draws, change: dict[str, Any]) -> None:
    with pytest.raises(JobFailed):
        draw(hires=hires(**change))
