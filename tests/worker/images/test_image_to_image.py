"""Image to image on small real pipelines of both families, in this process."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from engine_lab import Watcher
from PIL import Image

from otterbot_worker.errors import Cancelled, JobFailed
from otterbot_worker.gpu.messages import Draw, Drawn
from otterbot_worker.images.draw import img2img, passes
from otterbot_worker.images.engine import Engine
from otterbot_worker.images.load.loader import load
from otterbot_worker.memory.placement import RESIDENT
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.sampling import samplers

Draws = Callable[..., tuple[Drawn, bytes]]
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "start.png"
    image = Image.new("RGB", (96, 64))
    image.putdata([(255 * x // 96, 255 * y // 64, 80) for y in range(64) for x in range(96)])
    image.save(path)
    return path


@pytest.fixture
def draw(engine: Engine, picture: Path, make_task: Callable[..., Draw], entries: dict[str, ModelEntry]) -> Draws:
    def draw(*, family: str = "sdxl", watcher: Watcher | None = None, **changes: Any) -> tuple[Drawn, bytes]:
        fields = {"init_image": str(picture), "strength": 0.6, "steps": 5, **changes}
        task = make_task(entry=entries[family], **fields)
        drawn = engine.draw(task, watcher or Watcher())
        return drawn, task.output.read_bytes()

    return draw


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_every_setting_acts_and_the_same_are_the_same(draw: Draws, family: str, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    Image.new("RGB", (64, 64), "red").save(other)
    changes: list[dict[str, Any]] = [
        {}, {"strength": 1.0}, {"strength": 0.2}, {"seed": 8}, {"prompt": "a castle"}, {"init_image": str(other)},
        {"width": 96}, {"init_image": None, "strength": None},
    ]  # fmt: skip
    pictures = [draw(family=family, **change)[1] for change in changes]
    assert len({hashlib.sha256(one).digest() for one in pictures}) == len(pictures)
    assert [draw(family=family, **change)[1] for change in changes] == pictures


@pytest.mark.parametrize("family", ["sd", "sdxl"])
@pytest.mark.parametrize("sampler", samplers.names())
def test_every_sampler_starts_in_the_middle(draw: Draws, family: str, sampler: str) -> None:
    for steps, strength in ((5, 0.6), (4, 0.01), (3, 1.0)):
        watcher = Watcher()
        draw(family=family, sampler=sampler, steps=steps, strength=strength, watcher=watcher)
        done = [(step, total) for phase, step, total in watcher.phases if phase == "denoising"][-1]
        assert done[0] == done[1] >= 1, "progress ends at its own total"


def test_progress_is_by_true_steps(draw: Draws) -> None:
    watcher = Watcher()
    draw(steps=5, strength=0.6, sampler="Euler", watcher=watcher)
    assert [step for phase, *step in watcher.phases if phase == "denoising"] == [[0, 3], [1, 3], [2, 3], [3, 3]]
    assert watcher.phases[-2:] == [("decoding", 3, 3), ("saving", 3, 3)]


def test_little_strength_keeps_the_picture(draw: Draws, picture: Path) -> None:
    """Random weights decode to something else, so what is kept is looked for among the latents' pictures."""
    little = np.frombuffer(draw(strength=0.01, steps=50)[1], np.uint8).astype(float)
    more = np.frombuffer(draw(strength=0.2, steps=50)[1], np.uint8).astype(float)
    most = np.frombuffer(draw(strength=1.0, steps=50)[1], np.uint8).astype(float)
    assert np.abs(little - more).mean() < np.abs(little - most).mean()


def test_one_step_keeps_as_much_as_the_strength_says(draw: Draws) -> None:
    """One step of one would be all of them, whatever the strength."""
    assert len({draw(steps=1, strength=strength)[1] for strength in (1.0, 0.6, 0.1)}) == 3
    watcher = Watcher()
    draw(steps=1, strength=0.3, watcher=watcher)
    assert [step for phase, *step in watcher.phases if phase == "denoising"][-1] == [1, 1]


def test_the_pixels_are_those_of_the_bare_pipeline(
    draw: Draws, entries: dict[str, ModelEntry], make_task: Callable[..., Draw], picture: Path
) -> None:
    for family in ("sd", "sdxl", "mini"):
        ours = draw(family=family, prompt="a red cat", negative_prompt="blurry", sampler="UniPC", width=96)[1]
        loaded = load(entries[family], torch.device("cpu"), RESIDENT, downloads=False, monitor=Watcher())
        task = make_task(sampler="UniPC")
        loaded.pipe.scheduler = passes.scheduler(task, loaded.base_scheduler)
        kind = getattr(diffusers, loaded.family.from_picture or "")
        bare = kind(**{**loaded.family.load_arguments, **loaded.pipe.components})
        bare.set_progress_bar_config(disable=True)
        image = bare(
            "a red cat",
            image=Image.open(picture),
            strength=0.6,
            negative_prompt="blurry",
            num_inference_steps=5,
            guidance_scale=5.0,
            generator=torch.Generator("cpu").manual_seed(7),
        ).images[0]
        assert image.size == (96, 64)
        difference = np.frombuffer(ours, np.uint8).astype(int) - np.frombuffer(image.tobytes(), np.uint8)
        # compel's embeddings of an unweighted prompt are the pipeline's own but for the last bit.
        assert np.abs(difference).max() <= 1
        assert (difference != 0).mean() < 0.001


def test_no_second_copy_of_the_weights(engine: Engine, draw: Draws, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    begin = img2img.begin

    def keep(*arguments: Any) -> Any:
        found = begin(*arguments)
        made.append(found[0])
        return found

    monkeypatch.setattr(img2img, "begin", keep)
    draw()
    assert engine.residency.loaded is not None
    for name in ("unet", "vae", "text_encoder", "text_encoder_2"):
        assert getattr(made[0], name) is getattr(engine.residency.loaded.pipe, name)
        assert {parameter.dtype for parameter in getattr(made[0], name).parameters()} == {torch.float32}


def test_cancel_while_the_picture_is_read(engine: Engine, draw: Draws) -> None:
    before = draw()[1]
    assert engine.residency.loaded is not None
    reached: list[str] = []

    class Cancelling(Watcher):
        def check(self) -> None:
            if reached:
                raise Cancelled

    handle = engine.residency.loaded.pipe.vae.encoder.conv_in.register_forward_hook(
        lambda *_: reached.append("encoder")
    )
    try:
        with pytest.raises(Cancelled):
            draw(watcher=Cancelling())
    finally:
        handle.remove()
    assert reached == ["encoder"], "no step came after it"
    reached.clear()
    assert draw()[1] == before


def test_out_of_memory_falls_back_as_without_a_picture(draw: Draws) -> None:
    expected = draw(width=72)[1]
    drawn, again = draw(width=72, watcher=Watcher(3, error=torch.OutOfMemoryError("CUDA out of memory")))
    assert again == expected
    assert drawn.plan == "tiled"
    assert drawn.notes[0].startswith("Drawn with decoding in tiles; 72x64 was too large for the free ")


def test_an_encoder_that_gives_no_number_is_tried_again(engine: Engine, draw: Draws) -> None:
    expected = draw()[1]
    assert engine.residency.loaded is not None
    for times, fine in ((1, True), (2, False)):
        left = [times]

        def hook(_module: Any, _arguments: Any, output: Any, left: list[int] = left) -> Any:
            left[0] -= 1
            return output * math.nan if left[0] >= 0 else output

        handle = engine.residency.loaded.pipe.vae.encoder.conv_out.register_forward_hook(hook)
        try:
            if fine:
                assert draw()[1] == expected
            else:
                with pytest.raises(JobFailed) as failed:
                    draw()
                assert failed.value.code == "nan"
        finally:
            handle.remove()


def test_a_picture_that_is_gone_or_broken(draw: Draws, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    for path in (tmp_path / "nowhere.png", broken):
        with pytest.raises(JobFailed) as failed:
            draw(init_image=str(path))
        assert failed.value.code == "input_gone"
        assert str(path) not in failed.value.message
    for strength in (0.0, 1.1, math.nan, None):
        with pytest.raises(JobFailed) as failed:
            draw(strength=strength)
        assert failed.value.code == "image_failed"


def test_the_middle_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    image = Image.new("RGB", (300, 100), "black")
    image.paste("white", (100, 0, 200, 100))
    image.save(path)
    assert all(least > 200 for least, _ in img2img.read(path, 64, 64).getextrema())


def test_a_model_with_other_latents(engine: Engine, picture: Path, make_task: Any, broken_copy: Any) -> None:
    """Of six channels, each for 16x16 pixels: diffusers takes latents of four alone for latents."""
    from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel

    folder, entry = broken_copy("sd")
    pipe: Any = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    torch.manual_seed(0)
    kinds = {"down_block_types": ("DownEncoderBlock2D",) * 5, "up_block_types": ("UpDecoderBlock2D",) * 5}
    pipe.vae = AutoencoderKL(block_out_channels=(32,) * 5, latent_channels=6, scaling_factor=1.0, **kinds)
    pipe.unet = UNet2DConditionModel.from_config({**pipe.unet.config, "in_channels": 6, "out_channels": 6})
    pipe.save_pretrained(folder)
    hires = {"scale": 2.0, "strength": 0.5, "steps": 2, "upscaler": "latent", "width": 128, "height": 128}
    first = make_task(entry=entry, width=64, height=64, init_image=str(picture), strength=0.6, steps=5)
    second = make_task(entry=entry, width=64, height=64, steps=2, hires={**hires, "tile": [128, 128]})
    for task, side in ((first, 64), (second, 128)):
        engine.draw(task, Watcher())
        assert len(task.output.read_bytes()) == side * side * 3
