"""Drawing a part of a picture anew, on small real pipelines of both families and on the shipped model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline, StableDiffusionXLInpaintPipeline
from engine_lab import Watcher
from PIL import Image, ImageDraw

from otterbot_worker.errors import JobFailed
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.images.draw import img2img, inpaint, passes, refiner_steps
from otterbot_worker.images.engine import Engine
from otterbot_worker.images.load.loader import load
from otterbot_worker.images.memory.placing import RESIDENT
from otterbot_worker.models.catalogue import Catalogue
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.sampling import samplers

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Draws = Callable[..., Pixels]
pytestmark = pytest.mark.filterwarnings("ignore")

WHITE = (16, 8, 48, 40)
"""Left, top, right, bottom; on the grid of the latents."""


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "start.png"
    image = Image.new("RGB", (96, 64))
    image.putdata([(255 * x // 96, 255 * y // 64, 80) for y in range(64) for x in range(96)])
    image.save(path)
    return path


def save_mask(path: Path, box: tuple[int, int, int, int] = WHITE, mode: str = "L") -> Path:
    image = Image.new(mode, (96, 64))
    ImageDraw.Draw(image).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill="white")
    image.save(path)
    return path


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    return save_mask(tmp_path / "mask.png")


@pytest.fixture
def draw(
    engine: Engine, picture: Path, mask: Path, make_task: Callable[..., Draw], entries: dict[str, ModelEntry]
) -> Draws:
    def draw(*, family: str = "sdxl", **changes: Any) -> Pixels:
        fields = {"init_image": str(picture), "mask": str(mask), "strength": 1.0, "width": 96, "steps": 5, **changes}
        task = make_task(**{"entry": entries[family], **fields})
        drawn = engine.draw(task, Watcher())
        return np.frombuffer(task.output.read_bytes(), np.uint8).reshape(drawn.height, drawn.width, 3)

    return draw


def inside(box: tuple[int, int, int, int] = WHITE, height: int = 64, width: int = 96) -> Any:
    found = np.zeros((height, width), bool)
    found[box[1] : box[3], box[0] : box[2]] = True
    return found


@pytest.mark.parametrize("family", ["sd", "sdxl", "mini"])
@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_black_pixels_stay_byte_by_byte(draw: Draws, family: str, strength: float, picture: Path) -> None:
    source, drawn = np.asarray(Image.open(picture)), draw(family=family, strength=strength)
    assert (drawn[~inside()] == source[~inside()]).all()
    assert (drawn[inside()] != source[inside()]).any(axis=-1).mean() > 0.9
    assert (draw(family=family, strength=strength) == drawn).all(), "the same bytes again"
    assert (draw(family=family, strength=strength, seed=8) != drawn).any()


@pytest.mark.parametrize("family", ["sd", "sdxl", "mini"])
def test_a_picture_between_the_models_multiples_keeps_its_size(draw: Draws, family: str, tmp_path: Path) -> None:
    """It is drawn on a canvas that is a little larger, and cut off again: not one pixel of the rest is scaled."""
    size, box = (91, 61), (40, 30, 91, 61)
    source = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(source).save(tmp_path / "odd.png")
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill="white")
    mask.save(tmp_path / "odd-mask.png")
    files = {"init_image": str(tmp_path / "odd.png"), "mask": str(tmp_path / "odd-mask.png")}
    odd = {**files, "width": 91, "height": 61, "canvas": [96, 64]}
    drawn = draw(family=family, **odd)
    where = inside(box, *size[::-1])
    assert drawn.shape == source.shape
    assert (drawn[~where] == source[~where]).all()
    assert (drawn[where] != source[where]).any(axis=-1).mean() > 0.9
    assert (draw(family=family, **odd) == drawn).all()


def test_what_lies_beyond_a_picture_goes_on_as_its_edge_does(make_task: Callable[..., Draw]) -> None:
    task = make_task(width=3, height=2, canvas=[5, 4])
    grey = Image.fromarray(np.array([[1, 2, 3], [4, 5, 6]], np.uint8))
    expected = [[1, 2, 3, 3, 3], [4, 5, 6, 6, 6], [4, 5, 6, 6, 6], [4, 5, 6, 6, 6]]
    assert np.asarray(inpaint.on_canvas(task, grey)).tolist() == expected
    assert np.asarray(inpaint.on_canvas(task, grey.convert("RGB")))[..., 2].tolist() == expected
    assert inpaint.on_canvas(task.model_copy(update={"canvas": None}), grey) is grey


@pytest.mark.parametrize("sampler", samplers.names())
def test_every_sampler(draw: Draws, sampler: str, picture: Path) -> None:
    source = np.asarray(Image.open(picture))
    for strength in (1.0, 0.6):
        drawn = draw(family="sd", sampler=sampler, strength=strength)
        assert (drawn[~inside()] == source[~inside()]).all()
        assert (drawn[inside()] != source[inside()]).any()


@pytest.mark.parametrize(
    ("family", "sampler"), [("sd", "UniPC"), ("sd", "PNDM"), ("sd", "DDIM"), ("sdxl", "Euler"), ("sdxl", "Heun")]
)
def test_the_latents_are_those_of_the_bare_pipeline(
    draw: Draws,
    entries: dict[str, ModelEntry],
    make_task: Callable[..., Draw],
    picture: Path,
    mask: Path,
    sampler: str,
    family: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the last step, which puts the pixels back; diffusers leaves that to its callers."""
    monkeypatch.setattr(img2img, "finish", lambda _task, drawn: drawn)
    loaded = load(entries[family], torch.device("cpu"), RESIDENT, downloads=False, monitor=Watcher())
    kind = StableDiffusionInpaintPipeline if family == "sd" else StableDiffusionXLInpaintPipeline
    bare = kind(**{**loaded.family.load_arguments, **loaded.pipe.components})
    bare.set_progress_bar_config(disable=True)
    task = make_task(sampler=sampler)
    for strength in (1.0, 0.6):
        bare.scheduler = passes.scheduler(task, loaded.base_scheduler)
        image = bare(
            "a red cat",
            image=Image.open(picture),
            mask_image=Image.open(mask),
            strength=strength,
            negative_prompt="blurry",
            width=96,
            height=64,
            num_inference_steps=5,
            guidance_scale=5.0,
            generator=torch.Generator("cpu").manual_seed(7),
        ).images[0]
        ours = draw(family=family, prompt="a red cat", negative_prompt="blurry", sampler=sampler, strength=strength)
        difference = ours.astype(int) - np.asarray(image)
        # compel's embeddings of an unweighted prompt are the pipeline's own but for the last bit.
        assert np.abs(difference).max() <= 1
        assert (difference != 0).mean() < 0.001


@pytest.mark.parametrize("strength", [1.0, 0.8])
@pytest.mark.parametrize("sampler", ["UniPC", "DDIM", "PNDM", "Heun"])
def test_what_stays_does_so_under_the_refiner_too(
    draw: Draws, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, sampler: str, strength: float
) -> None:
    """Between base and refiner with the noise of that moment, at the end as it is."""
    kept: list[inpaint.KeptLatents] = []
    seen: list[torch.Tensor] = []

    def keeping(*values: Any) -> inpaint.KeptLatents | None:
        found = real_keeping(*values)
        assert found is not None
        kept.append(found)
        return found

    def refine(drawing: Any, latents: torch.Tensor, **values: Any) -> torch.Tensor:
        seen.append(latents)
        seen.append(real_refine(drawing, latents, **values))
        return seen[-1]

    real_keeping, real_refine = inpaint.keeping, refiner_steps.refine
    monkeypatch.setattr(inpaint, "keeping", keeping)
    monkeypatch.setattr(refiner_steps, "refine", refine)
    model = catalogue.images["tiny-refined"].as_dict()
    draw(entry=model, steps=10, sampler=sampler, strength=strength)
    (found,), (handed_over, drawn) = kept, seen
    stays = (found.anew == 0).expand_as(found.latents)
    assert torch.equal(drawn[stays], found.latents[stays])
    noise = handed_over[stays] - found.latents[stays]
    # At the hand-over (0.6) both have the same noise; the samplers differ in whether they scale it.
    assert 0.5 < float(noise.std()) < 20, "the refiner expects noise there as everywhere"


def test_a_thin_line_is_drawn_and_its_neighbours_are_not(draw: Draws, picture: Path, tmp_path: Path) -> None:
    line = (10, 3, 13, 60)
    drawn = draw(mask=str(save_mask(tmp_path / "line.png", line)))
    source = np.asarray(Image.open(picture))
    assert (drawn[~inside(line)] == source[~inside(line)]).all()
    assert (drawn[inside(line)] != source[inside(line)]).any(axis=-1).mean() > 0.9


def test_greys_mix_both_and_traces_are_black(draw: Draws, picture: Path, mask: Path, tmp_path: Path) -> None:
    source = np.asarray(Image.open(picture)).astype(int)
    image = Image.open(mask)
    ImageDraw.Draw(image).rectangle((16, 8, 23, 39), fill=128)
    ImageDraw.Draw(image).rectangle((60, 0, 95, 63), fill=9)
    image.save(tmp_path / "soft.png")
    hard, soft = draw().astype(int), draw(mask=str(tmp_path / "soft.png")).astype(int)
    half = inside((16, 8, 24, 40))
    assert np.abs(soft[half] - (source[half] + hard[half]) / 2).max() <= 1
    assert (soft[~half] == hard[~half]).all()


def test_what_was_laid_on_white_lies_on_the_drawing(draw: Draws, tmp_path: Path) -> None:
    """A half-transparent black over the drawing is half the drawing, without any white."""
    holes = Image.new("L", (96, 64))
    ImageDraw.Draw(holes).rectangle((16, 8, 47, 39), fill="white")
    ImageDraw.Draw(holes).rectangle((16, 8, 23, 39), fill=128)
    holes.save(tmp_path / "holes.png")
    Image.merge("RGB", [holes] * 3).save(tmp_path / "black.png")
    files = {"init_image": str(tmp_path / "black.png"), "mask": str(tmp_path / "holes.png")}
    whole = Image.new("L", (96, 64))
    ImageDraw.Draw(whole).rectangle((16, 8, 47, 39), fill="white")
    whole.save(tmp_path / "whole.png")
    drawn = draw(**{**files, "mask": str(tmp_path / "whole.png")}).astype(int)
    over = draw(**files, mask_is_alpha=True).astype(int)
    half = inside((16, 8, 24, 40))
    assert np.abs(over[half] - drawn[half] * 128 / 255).max() <= 1
    assert (over[inside() & ~half] == drawn[inside() & ~half]).all()
    assert not over[~inside()].any()


def test_a_mask_is_cut_and_scaled_as_its_picture(draw: Draws, picture: Path, mask: Path, tmp_path: Path) -> None:
    for path in (picture, mask):
        with Image.open(path) as image:
            image.resize((192, 128), Image.Resampling.NEAREST).save(tmp_path / f"large-{path.name}")
    drawn = draw(
        init_image=str(tmp_path / "large-start.png"), mask=str(tmp_path / "large-mask.png"), width=64, height=64
    )
    scaled = np.asarray(img2img.read(tmp_path / "large-start.png", 64, 64))
    where = inside((0, 8, 32, 40), 64, 64)
    assert (drawn[~where] != scaled[~where]).any(axis=-1).mean() < 0.04, "but for the edge, which is soft now"
    assert (drawn[where] != scaled[where]).any(axis=-1).mean() > 0.9


def test_a_mask_that_is_gone_or_broken(draw: Draws, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    for path in (tmp_path / "nowhere.png", broken):
        with pytest.raises(JobFailed) as failed:
            draw(mask=str(path))
        assert failed.value.code == "input_gone"
        assert str(path) not in failed.value.message
