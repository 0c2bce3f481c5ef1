"""The safety checker: what it finds never leaves the process, and where it cannot look nothing is drawn."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_checker
import torch
from tiny_checker import EVERYTHING, NOTHING

from otterbot_worker.errors import JobFailed
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.gpu.process import GpuProcess
from otterbot_worker.images.draw import safety_checker as checkers
from otterbot_worker.images.draw.safety_checker import Safety, squares
from otterbot_worker.images.engine import Engine
from otterbot_worker.models import safety as places
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.schemas.draw_files import CheckerFiles

pytestmark = pytest.mark.filterwarnings("ignore")


class Idle:
    def __init__(self) -> None:
        self.phases: list[str] = []

    def progress(self, phase: str, step: int = 0, steps: int = 0) -> None:
        self.phases.append(phase)

    def check(self) -> None:
        pass


def place(folder: Path) -> CheckerFiles:
    found = places.place(None, str(folder), downloads=False)
    assert found is not None
    return found


def loaded(folder: Path) -> Safety:
    made = Safety()
    made.load(place(folder), downloads=False, monitor=Idle())
    return made


def picture(seed: int, height: int = 64, width: int = 64) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def draw(engine: Engine, make_task: Callable[..., Draw], entries: dict[str, ModelEntry]) -> Callable[..., bytes]:
    def draw(*, family: str = "sd", monitor: Any = None, **changes: Any) -> bytes:
        task = make_task(**{"entry": entries[family], **changes})
        task.output.unlink(missing_ok=True)
        try:
            engine.draw(task, monitor or Idle())
        except JobFailed:
            assert not task.output.exists(), "no pixels leave"
            raise
        return task.output.read_bytes()

    return draw


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_what_is_found_is_not_written(draw: Callable[..., bytes], tmp_path: Path, family: str) -> None:
    plain = draw(family=family)
    nothing = place(tiny_checker.save(tmp_path / "nothing", NOTHING))
    everything = place(tiny_checker.save(tmp_path / "everything", EVERYTHING))
    assert draw(family=family, checker=nothing) == plain
    with pytest.raises(JobFailed) as failed:
        draw(family=family, checker=everything)
    assert failed.value.code == "unsafe"
    assert "Another seed" in failed.value.message
    assert draw(family=family, checker=nothing) == plain, "another checker is another one"
    assert draw(family=family) == plain


def test_it_looks_at_all_of_the_picture(tmp_path: Path) -> None:
    bad, good = picture(1), np.full((64, 64, 3), (250, 30, 0), np.uint8)
    made = tiny_checker.checker(NOTHING)
    seen = tiny_checker.processor()(images=[*squares(bad), *squares(good)], return_tensors="pt")
    with torch.no_grad():
        wanted, other = made.visual_projection(made.vision_model(seen.pixel_values)[1])
        apart = float(torch.cosine_similarity(wanted, other, dim=0))
        made.concept_embeds[4] = wanted
        made.concept_embeds_weights[4] = (1 + apart) / 2
    assert apart < 0.99
    safety = loaded(tiny_checker.save(tmp_path / "one", NOTHING, made=made))
    safety.look(good)
    safety.look(np.concatenate([good] * 3, axis=1))
    for axis in (0, 1):
        for shown in ([bad], [good, good, bad], [bad, good, good]):
            with pytest.raises(JobFailed):
                safety.look(np.concatenate(shown, axis=axis))


SIZES = [(64, 64, 1), (64, 65, 2), (128, 64, 2), (64, 256, 4), (90, 64, 2)]


@pytest.mark.parametrize(("height", "width", "count"), SIZES)
def test_squares_cover_everything(height: int, width: int, count: int) -> None:
    numbered = np.zeros((height, width, 3), np.uint8)
    numbered[..., 0], numbered[..., 1] = np.arange(height)[:, None] % 256, np.arange(width)[None] % 256
    views = [np.asarray(view) for view in squares(numbered)]
    assert len(views) == count
    assert all(view.shape == (64, 64, 3) for view in views)
    seen = {(int(y), int(x)) for view in views for y, x, _ in view.reshape(-1, 3)}
    assert len(seen) == height * width


def test_it_goes_with_the_model(engine: Engine, draw: Callable[..., bytes], tmp_path: Path) -> None:
    asked = place(tiny_checker.save(tmp_path / "nothing", NOTHING))
    engine.release()
    draw(checker=asked)
    kept = weakref.ref(engine.residency.safety._checker)
    again = Idle()
    draw(checker=asked, monitor=again)
    assert engine.residency.safety._checker is kept()
    assert "loading" not in again.phases
    engine.release()
    gc.collect()
    assert kept() is None


def damage(folder: Path, how: str) -> None:
    weights = folder / "model.safetensors"
    made = tiny_checker.checker(NOTHING)
    if how == "cut off":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif how == "noise in the place of weights":
        del made.concept_embeds
        made.save_pretrained(folder, safe_serialization=True)
    elif how == "not a number":
        with torch.no_grad():
            made.visual_projection.weight[0, 0] = float("nan")
        made.save_pretrained(folder, safe_serialization=True)
    elif how == "another model":
        (folder / "config.json").write_text("{}")
    elif how == "no description of pictures":
        (folder / "preprocessor_config.json").write_text("otter")


@pytest.mark.parametrize(
    "how",
    ["cut off", "noise in the place of weights", "not a number", "another model", "no description of pictures"],
)
def test_a_broken_one_ends_the_picture_before_it_is_drawn(draw: Callable[..., bytes], tmp_path: Path, how: str) -> None:
    folder = tiny_checker.save(tmp_path / "checker", NOTHING)
    asked = place(folder)
    damage(folder, how)
    monitor = Idle()
    with pytest.raises(JobFailed) as failed:
        draw(checker=asked, monitor=monitor)
    assert failed.value.code == "safety_broken"
    assert str(tmp_path) not in failed.value.message
    assert "denoising" not in monitor.phases
    draw()


def test_numbers_that_overflow_are_not_safe(tmp_path: Path) -> None:
    safety = loaded(tiny_checker.save(tmp_path / "nothing", NOTHING))
    with torch.no_grad():
        safety._checker.visual_projection.weight.mul_(float("inf"))
    with pytest.raises(JobFailed) as failed:
        safety.look(picture(1))
    assert failed.value.code == "safety_broken"


def test_one_that_has_gone_and_may_not_be_fetched(
    draw: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(JobFailed) as failed:
        draw(checker=CheckerFiles(folder=None, features=None, hub="owner/checker"))
    assert failed.value.code == "safety_missing"


def test_a_download_is_asked_for_by_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    asked: list[Any] = []

    def fetch(hub: str, **options: Any) -> None:
        asked.append((hub, options["chosen"]))
        root = tmp_path / "hub" / "models--owner--checker"
        (root / "refs").mkdir(parents=True)
        (root / "refs" / "main").write_text("abc")
        tiny_checker.save(root / "snapshots" / "abc", EVERYTHING)

    monkeypatch.setattr(checkers.download, "fetch", fetch)
    safety = Safety()
    safety.load(CheckerFiles(folder=None, features=None, hub="owner/checker"), downloads=True, monitor=Idle())
    with pytest.raises(JobFailed):
        safety.look(picture(1))
    assert asked == [("owner/checker", places.FILES)]


async def test_in_the_real_process(
    process: GpuProcess, make_task: Callable[..., Draw], tmp_path: Path, entries: dict[str, ModelEntry]
) -> None:
    everything = place(tiny_checker.save(tmp_path / "everything", EVERYTHING))
    task = make_task(entry=entries["sd"], checker=everything, output=tmp_path / "unsafe.rgb")
    with pytest.raises(JobFailed) as failed:
        await process.draw(task, lambda _: None)
    assert failed.value.code == "unsafe"
    assert not task.output.exists()
    await process.draw(make_task(entry=entries["sd"], output=tmp_path / "next.rgb"), lambda _: None)
    assert (tmp_path / "next.rgb").exists()
