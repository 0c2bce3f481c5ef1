"""The captioner, a real Florence-2 of random weights: found, fetched, asked, interrupted, broken, and out of room."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_florence
import torch
from engine_lab import CPU, Watcher
from hub import Hub
from PIL import Image

from otterbot_worker.errors import Cancelled, JobFailed
from otterbot_worker.gpu import messages
from otterbot_worker.gpu.messages import Describe, Draw
from otterbot_worker.gpu.process import GpuProcess
from otterbot_worker.images.captioner import TASKS, Captioner
from otterbot_worker.images.describing import NO_CAPTIONER, NOT_DESCRIBED
from otterbot_worker.images.engine import Engine
from otterbot_worker.models import captioner as places
from otterbot_worker.schemas.draw_files import CaptionerFiles

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def florence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("captioner") / "captioner"
    tiny_florence.make(folder, tmp_path_factory.mktemp("scratch"))
    return folder


@pytest.fixture
def task(florence: Path, tmp_path: Path) -> Callable[..., Describe]:
    def make(seed: int = 1, *, size: tuple[int, int] = (90, 60), folder: Path = florence) -> Describe:
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        path = tmp_path / f"{seed}.png"
        Image.fromarray(pixels).save(path)
        return Describe(
            task_id=f"task-{seed}", picture=str(path), captioner=CaptionerFiles(folder=str(folder), hub=None)
        )

    return make


def test_it_says_words_of_every_length(engine: Engine, task: Callable[..., Describe]) -> None:
    watcher = Watcher(phase="describing")
    found = engine.describe(task(), watcher)
    assert len(found.captions) == len(TASKS)
    for caption in found.captions:
        assert len(caption.split()) > 5
        assert all(any(known.startswith(word) for known in tiny_florence.WORDS.split()) for word in caption.split())
    assert ("describing", 0, 3) in watcher.phases
    assert ("describing", 3, 3) in watcher.phases
    assert watcher.looks > 30, "it is heard of between tokens"
    assert engine.describe(task(), Watcher()).captions == found.captions, "the same picture, the same words"
    assert engine.describe(task(2), Watcher()).captions != found.captions, "it looks at the picture"


@pytest.mark.parametrize("size", [(16, 16), (16, 900), (1, 4), (3, 3)])
def test_pictures_of_odd_shapes_are_looked_at(
    engine: Engine, task: Callable[..., Describe], size: tuple[int, int]
) -> None:
    assert len(engine.describe(task(3, size=size), Watcher()).captions) == 3


def test_it_is_interrupted_between_two_tokens(engine: Engine, task: Callable[..., Describe]) -> None:
    with pytest.raises(Cancelled):
        engine.describe(task(), Watcher(after=5, phase="describing"))
    assert engine.describe(task(), Watcher()).captions


async def test_the_gpu_process_describes(process: GpuProcess, task: Callable[..., Describe]) -> None:
    seen: list[str] = []
    found = await process.describe(task(), lambda progress: seen.append(progress.phase))
    assert isinstance(found, messages.Described)
    assert len(found.captions) == 3
    assert "describing" in seen
    assert process.info.state == "idle"


# ---------------------------------------------------------------- of pictures that were just drawn


def test_a_drawn_picture_is_described(
    engine: Engine, make_task: Callable[..., Draw], florence: Path, tmp_path: Path
) -> None:
    files = CaptionerFiles(folder=str(florence), hub=None)
    watcher = Watcher()
    plain = engine.draw(make_task(), watcher)
    pixels = (tmp_path / "picture.rgb").read_bytes()
    assert (plain.alt, plain.notes) == ("", [])
    drawn = engine.draw(make_task(describe=True, captioner=files), watcher)
    assert len(drawn.alt.split()) > 5
    assert drawn.notes == []
    assert (tmp_path / "picture.rgb").read_bytes() == pixels, "it changes nothing in the picture"
    phases = [phase for phase, _, _ in watcher.phases]
    assert phases[phases.index("describing") :].count("loading") == 0
    assert engine.resident == plain.resident


@pytest.mark.parametrize("kind", ["none", "broken"])
def test_what_cannot_be_described_is_drawn_all_the_same(
    engine: Engine, make_task: Callable[..., Draw], florence: Path, tmp_path: Path, kind: str
) -> None:
    files = None
    if kind == "broken":
        copy = tmp_path / "copy"
        shutil.copytree(florence, copy)
        (copy / "model.safetensors").write_bytes(b"")
        files = CaptionerFiles(folder=str(copy), hub=None)
    drawn = engine.draw(make_task(describe=True, captioner=files), Watcher())
    assert drawn.alt == ""
    assert drawn.notes == [NO_CAPTIONER if kind == "none" else NOT_DESCRIBED]
    assert (tmp_path / "picture.rgb").exists()


def test_it_can_be_cancelled_while_it_is_described(
    engine: Engine, make_task: Callable[..., Draw], florence: Path
) -> None:
    files = CaptionerFiles(folder=str(florence), hub=None)
    with pytest.raises(Cancelled):
        engine.draw(make_task(describe=True, captioner=files), Watcher(after=3, phase="describing"))


# ---------------------------------------------------------------- where it lies


def test_it_is_found_where_all_of_it_lies(florence: Path, tmp_path: Path) -> None:
    none = tmp_path / "nothing"
    assert places.place(florence, None, downloads=False) == CaptionerFiles(folder=str(florence), hub=None)
    assert places.place(none, str(florence), downloads=False) == CaptionerFiles(folder=str(florence), hub=None)
    assert places.place(none, "somebody/florence", downloads=True) == CaptionerFiles(
        folder=None, hub="somebody/florence"
    )
    assert places.place(none, "somebody/florence", downloads=False) is None
    assert places.place(none, None, downloads=True) is None
    for name in ("config.json", "tokenizer.json", "processor_config.json", "model.safetensors"):
        copy = tmp_path / name
        shutil.copytree(florence, copy)
        (copy / name).unlink()
        assert places.place(copy, None, downloads=False) is None, name


def test_it_is_fetched_where_that_is_allowed(
    hub: Hub, florence: Path, task: Callable[..., Describe], tmp_path: Path
) -> None:
    hub.repositories["somebody/florence"] = florence
    wanted = CaptionerFiles(folder=None, hub="somebody/florence")
    asked = task().model_copy(update={"captioner": wanted})
    with pytest.raises(JobFailed) as caught:
        Engine(device="cpu", threads=1).describe(asked, Watcher())
    assert caught.value.code == "captioner_missing"
    assert "llava:7b" in caught.value.message
    assert not hub.asked, "nobody is asked without leave"
    engine = Engine(device="cpu", threads=1, downloads=True)
    assert len(engine.describe(asked, Watcher()).captions) == 3
    assert places.at_hub("somebody/florence") is not None
    missing = task().model_copy(update={"captioner": CaptionerFiles(folder=None, hub="somebody/nothing")})
    with pytest.raises(JobFailed) as caught:
        engine.describe(missing, Watcher())
    assert caught.value.code == "captioner_missing"
    assert "could not be downloaded" in caught.value.message


# ---------------------------------------------------------------- what is wrong with it


def _without_weights(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    save_file(dict(list(tensors.items())[5:]), folder / "model.safetensors", metadata={"format": "pt"})


def _no_numbers(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    name = next(iter(tensors))
    tensors[name] = torch.full_like(tensors[name], float("nan"))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _changed(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        settings = json.loads(path.read_text())
        settings["text_config"] |= changes
        path.write_text(json.dumps(settings))

    return change


BREAKS: dict[str, Callable[[Path], None]] = {
    "weights missing": _without_weights,
    "no numbers": _no_numbers,
    "cut off": lambda folder: (folder / "model.safetensors").write_bytes(b"\x00" * 100),
    "endless": _changed(decoder_layers=1_000_000_000),
    "another size": _changed(d_model=64),
    "no json": lambda folder: (folder / "config.json").write_text("{"),
    "no tokenizer": lambda folder: (folder / "tokenizer.json").write_text("[]"),
}


@pytest.mark.parametrize("kind", BREAKS)
def test_a_broken_one_ends_with_a_sentence(
    engine: Engine, florence: Path, task: Callable[..., Describe], tmp_path: Path, kind: str
) -> None:
    copy = tmp_path / "canary-folder"
    shutil.copytree(florence, copy)
    BREAKS[kind](copy)
    with pytest.raises(JobFailed) as caught:
        engine.describe(task(folder=copy), Watcher())
    assert caught.value.code == "captioner_broken"
    assert "canary" not in caught.value.message
    assert engine.describe(task(), Watcher()).captions, "the process goes on"


# ---------------------------------------------------------------- room


def look(captioner: Captioner, task: Describe, device: str, available: list[int]) -> tuple[list[str], list[str], int]:
    put_away: list[None] = []
    with Image.open(task.picture) as picture:
        picture.load()
    captions, notes = captioner.look(
        picture,
        task.captioner,
        torch.device(device),
        available=lambda: available.pop(0),
        put_away=lambda: put_away.append(None),
        dtype=torch.float16,
        downloads=False,
        monitor=Watcher(),
    )
    return captions, notes, len(put_away)


def test_without_room_on_the_card_the_processor_looks(task: Callable[..., Describe]) -> None:
    captions, notes, put_away = look(Captioner(), task(), "cuda", [100, 200])
    assert len(captions) == 3
    assert put_away == 1, "the image model has left for it"
    assert notes == ["Described by the processor, since the card had no room for the captioner."]


def test_a_card_that_runs_out_of_room_leaves_it_to_the_processor(
    task: Callable[..., Describe], monkeypatch: pytest.MonkeyPatch
) -> None:
    captioner, on = Captioner(), list[tuple[str, torch.dtype]]()
    real = captioner._captions

    def captions(picture: Any, tasks: Any, device: torch.device, dtype: torch.dtype, monitor: Any) -> list[str]:
        on.append((device.type, dtype))
        if device.type == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(picture, tasks, CPU, dtype, monitor)

    monkeypatch.setattr(captioner, "_captions", captions)
    found, notes, _ = look(captioner, task(), "cuda", [10**12, 10**12])
    assert on == [("cuda", torch.float16), ("cpu", torch.float32)]
    assert len(found) == 3
    assert notes


def test_nothing_that_it_says_comes_into_the_log(
    engine: Engine, task: Callable[..., Describe], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="otterbot_worker"):
        found = engine.describe(task(), Watcher())
    assert found.captions[0].split()[1] not in caplog.text
