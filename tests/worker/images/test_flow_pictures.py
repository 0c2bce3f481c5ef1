"""From a picture with the families that match flows: image to image, masks, second passes, upscaling, variations."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from engine_lab import Watcher, loaded, same
from PIL import Image, ImageDraw

from otterbot_worker.gpu.messages import Draw, Drawn
from otterbot_worker.images.draw import img2img, inpaint
from otterbot_worker.images.draw.decoding import decode
from otterbot_worker.images.engine import Engine
from otterbot_worker.models.catalogue import Catalogue

Draws = Callable[..., tuple[Drawn, bytes]]
pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own, which the GPU process ignores as well
MODELS = ["tiny-sd3", "tiny-sd3-without", "tiny-zimage"]
SIZE = {"width": 96, "height": 64}


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    image = Image.effect_noise((96, 64), 80).convert("RGB")
    ImageDraw.Draw(image).ellipse((20, 10, 70, 50), fill=(200, 40, 90))
    path = tmp_path / "start.png"
    image.save(path)
    return path


@pytest.fixture
def draw(engine: Engine, make_task: Callable[..., Draw], catalogue: Catalogue, picture: Path) -> Draws:
    def draw(name: str, *, watcher: Watcher | None = None, **changes: Any) -> tuple[Drawn, bytes]:
        entry = catalogue.images[name]
        usual = {"sampler": "Euler", "guidance_scale": 4.0, "steps": 5, "init_image": str(picture), "strength": 0.6}
        task = make_task(**{"entry": entry, **usual, **SIZE, **changes})
        drawn = engine.draw(task, watcher or Watcher())
        return drawn, task.output.read_bytes()

    return draw


def pixels(data: bytes, width: int = 96) -> Any:
    return np.frombuffer(data, np.uint8).reshape(-1, width, 3).astype(int)


@pytest.mark.parametrize("model", MODELS)
def test_the_foundare_those_of_the_bare_pipeline(draw: Draws, engine: Engine, picture: Path, model: str) -> None:
    words = {"prompt": "an otter", "negative_prompt": "blurry"}
    drawn, ours = draw(model, **words)
    assert drawn.notes == []
    one = loaded(engine)
    bare = getattr(diffusers, one.family.from_picture or "")(
        **{**one.family.load_arguments, **one.pipe.components},
    )
    bare.set_progress_bar_config(disable=True)
    bare.scheduler = diffusers.FlowMatchEulerDiscreteScheduler.from_config(one.base_scheduler)
    image = bare(
        **words,
        **SIZE,
        image=Image.open(picture),
        strength=img2img.exact(5, 0.6, up=True),
        num_inference_steps=5,
        guidance_scale=4.0,
        generator=torch.Generator("cpu").manual_seed(7),
    ).images[0]
    assert same(ours, image)
    assert draw(model, **words)[1] == ours
    assert draw(model, **words, seed=8)[1] != ours


@pytest.mark.parametrize(("steps", "strength"), [(5, 0.6), (50, 0.58), (4, 1.0), (7, 0.3), (10, 0.1)])
@pytest.mark.parametrize(("model", "sampler"), [("tiny-sd3", "Euler"), ("tiny-sd3", "UniPC"), ("tiny-zimage", "Euler")])
def test_as_many_steps_as_the_strength_says(draw: Draws, model: str, sampler: str, steps: int, strength: float) -> None:
    watcher = Watcher()
    draw(model, steps=steps, strength=strength, sampler=sampler, watcher=watcher)
    done = [(step, total) for phase, step, total in watcher.phases if phase == "denoising"]
    expected = max(1, int(steps * strength + 1e-6))
    assert done[-1] == (expected, expected)


@pytest.mark.parametrize("sampler", ["Euler", "Heun", "UniPC"])
def test_a_small_strength_keeps_the_picture(draw: Draws, engine: Engine, picture: Path, sampler: str) -> None:
    """What its own decoder makes of it: with random weights that is not much like it."""
    drawn = [pixels(draw("tiny-sd3", sampler=sampler, steps=40, strength=strength)[1]) for strength in (0.05, 1.0)]
    one, generator = loaded(engine), torch.Generator("cpu").manual_seed(7)
    latents = img2img.encode(one, Image.open(picture), torch.device("cpu"), generator)
    seen = decode(one, latents, 7)[0].astype(int)
    little, much = (np.abs(found - seen).mean() for found in drawn)
    assert little < much / 3


@pytest.mark.parametrize("strength", [0.5, 1.0])
@pytest.mark.parametrize(
    ("model", "sampler"),
    [("tiny-sd3", "Euler"), ("tiny-sd3", "Heun"), ("tiny-sd3", "UniPC"), ("tiny-zimage", "Euler")],
)
def test_what_a_mask_keeps_stays(
    draw: Draws, picture: Path, tmp_path: Path, model: str, sampler: str, strength: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Pixel by pixel at the end, and before that as latents of the picture with the noise of that moment."""
    mask = Image.new("L", (96, 64), 0)
    mask.paste(255, (32, 16, 64, 48))
    mask.save(tmp_path / "mask.png")
    kept, ends = [], []
    real = inpaint.KeptLatents.put_back

    def put_back(self: inpaint.KeptLatents, pipe: Any, index: int, latents: torch.Tensor) -> torch.Tensor:
        found = real(self, pipe, index, latents)
        stays = (self.anew == 0).expand_as(self.latents)
        kept.append(float((found - self.latents)[stays].std()))
        ends.append(index == pipe.num_timesteps - 1)
        return found

    monkeypatch.setattr(inpaint.KeptLatents, "put_back", put_back)
    drawn = pixels(draw(model, sampler=sampler, strength=strength, mask=str(tmp_path / "mask.png"))[1])
    before = np.asarray(Image.open(picture)).astype(int)
    inside = np.asarray(mask) == 255
    assert (drawn[~inside] == before[~inside]).all()
    assert (drawn[inside] != before[inside]).any(axis=-1).mean() > 0.9
    assert kept[-1] == 0.0
    assert ends[-1]
    assert all(one >= two for one, two in itertools.pairwise(kept)), "less and less noise"
    assert kept[0] > 0.0 or len(kept) == 1


@pytest.mark.parametrize("upscaler", ["latent", "lanczos"])
@pytest.mark.parametrize("tile", [(192, 128), (96, 96)])
@pytest.mark.parametrize("model", ["tiny-sd3", "tiny-zimage"])
def test_a_second_pass(draw: Draws, model: str, tile: tuple[int, int], upscaler: str) -> None:
    hires = {"scale": 2.0, "strength": 0.5, "steps": 4, "upscaler": upscaler, "width": 192, "height": 128, "tile": tile}
    first = draw(model, init_image=None, strength=None)[1]
    drawn, ours = draw(model, init_image=None, strength=None, hires=hires)
    assert (drawn.width, drawn.height) == (192, 128)
    assert ours == draw(model, init_image=None, strength=None, hires=hires)[1]
    if upscaler == "lanczos":  # what is decoded and encoded by random weights is another picture
        return
    small = Image.frombytes("RGB", (192, 128), ours).resize((96, 64), Image.Resampling.BOX)
    other = pixels(draw(model, init_image=None, strength=None, seed=99)[1])
    near, far = (np.abs(np.asarray(small).astype(int) - one).mean() for one in (pixels(first), other))
    assert near < far, "it is the first pass's picture"


@pytest.mark.parametrize("model", ["tiny-sd3", "tiny-zimage"])
def test_upscaled_in_tiles(draw: Draws, model: str) -> None:
    task = {"upscale": {"factor": 2, "tile": (96, 96)}, "strength": 0.3, "width": 192, "height": 128}
    drawn, ours = draw(model, **task)
    assert (drawn.width, drawn.height) == (192, 128)
    assert ours == draw(model, **task)[1]
    assert ours != draw(model, **task, seed=8)[1]


@pytest.mark.parametrize("model", ["tiny-sd3", "tiny-zimage", "tiny-klein"])
def test_variations(draw: Draws, model: str) -> None:
    """From a picture where the family can, and from noise."""
    starts: list[dict[str, Any]] = [{"init_image": None, "strength": None}]
    starts += [{}] if model != "tiny-klein" else []
    for start in starts:
        own, other = (pixels(draw(model, seed=seed, **start)[1]) for seed in (7, 8))
        near = pixels(draw(model, variation={"seed": 8, "strength": 0.1}, **start)[1])
        assert (near != own).any()
        assert np.abs(near - own).mean() < np.abs(near - other).mean()
        if not start:  # from a picture both seeds' encoders take the same numbers in the same order
            continue
        assert (pixels(draw(model, variation={"seed": 8, "strength": 1.0}, **start)[1]) == other).all()
