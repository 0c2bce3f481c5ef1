"""Real pipelines with random weights, made once per session; the shipped model; a real GPU process on the CPU."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from PIL import Image

os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = os.environ["DIFFUSERS_VERBOSITY"] = "error"
os.environ.setdefault("OMP_NUM_THREADS", "1")

from draw_tasks import draw_task
from hub import Hub

from forks import client as forks
from forks import server
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.gpu.process import GpuProcess
from otterbot_worker.models.catalogue import Catalogue, load_catalogue
from otterbot_worker.models.entries import ModelEntry

if TYPE_CHECKING:
    from otter_mini.judge import Judge
    from otterbot_worker.images.engine import Engine

MODELS = """
models:
  tiny-sd: &tiny
    folder: tiny-sd
    family: sd
    about: a test
    defaults: {steps: 4, guidance_scale: 5.0, width: 64, height: 64, sampler: UniPC}
    limits: {size_min: 16}
  tiny-xl: {<<: *tiny, folder: otter-noise, family: sdxl}
  tiny-refined:
    <<: *tiny
    folder: otter-noise
    family: sdxl
    refiner: {folder: tiny-refiner, hand_over: 0.6}
  tiny-sd3: &flow
    folder: tiny-sd3
    family: sd3
    about: a test
    defaults: {steps: 3, guidance_scale: 4.0, width: 64, height: 64, sampler: Euler}
    limits: {size_min: 16, size_multiple: 16}
  tiny-sd3-without: {<<: *flow, without: [text_encoder_3]}
  tiny-zimage: {<<: *flow, folder: tiny-zimage, family: zimage}
  tiny-klein: {<<: *flow, folder: tiny-klein, family: flux2}
"""


@pytest.fixture(scope="session", autouse=True)
def servers() -> Iterator[forks.Servers]:
    """The small processes of all tests are forks (`forks`), and the GPU processes too."""
    made = forks.Servers()
    with forks.forking(made, anew=True):
        yield made
    made.close()


@pytest.fixture(autouse=True)
def limit_of_pictures() -> Iterator[None]:
    """What reads a picture in a process of its own sets Pillow's limit there; here it would hold for later tests."""
    before = Image.MAX_IMAGE_PIXELS
    yield
    Image.MAX_IMAGE_PIXELS = before


@pytest.fixture
def new_processes() -> Iterator[None]:
    """For tests of the start itself: nothing forks."""
    with forks.forking(lambda _: None):
        yield


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory, copy_of: Callable[..., None], servers: forks.Servers) -> Path:
    """A data directory with a small model of every family, and a refiner."""
    root = tmp_path_factory.mktemp("data")

    def make(folder: Path) -> None:
        command, environment = [sys.executable, server.MAKER, str(folder)], forks.gpu_environment()
        servers("draws")  # a fork of it makes them
        subprocess.run(command, env=environment, check=True, timeout=240, capture_output=True)

    copy_of("tiny-models", make, root / "models")
    (root / "models.yaml").write_text(MODELS)
    return root


@pytest.fixture(scope="session")
def catalogue(data_dir: Path) -> Catalogue:
    return load_catalogue(data_dir / "models.yaml", data_dir=data_dir)


@pytest.fixture(scope="session")
def entries(catalogue: Catalogue) -> dict[str, ModelEntry]:
    """One of each family with random weights, and ``mini``, the shipped one, whose pictures show something."""
    return {
        "sd": catalogue.images["tiny-sd"],
        "sdxl": catalogue.images["tiny-xl"],
        "mini": catalogue.images["otter-mini"],
    }


@pytest.fixture
def hub(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """One on this machine, with ``somebody/noise``, and a cache of its own."""
    made = Hub({"somebody/noise": data_dir / "models" / "otter-noise"})
    monkeypatch.setenv("HF_ENDPOINT", made.url)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    yield made
    made.close()


@pytest.fixture(scope="session")
def judge() -> Judge:
    """Says what a picture of the shipped model's shows."""
    from otter_mini.judge import Judge  # with torch, which most tests do without

    return Judge.load()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One for all tests of a file, in this process."""
    from otterbot_worker.images.engine import Engine

    made = Engine(device="cpu", threads=1)
    yield made
    made.release()


@pytest.fixture
def broken_copy(data_dir: Path, tmp_path: Path, entries: dict[str, ModelEntry]) -> Callable[[str], tuple[Path, Any]]:
    """A private copy of a family's model, to be broken; and its entry."""

    def make(family: str) -> tuple[Path, ModelEntry]:
        source = entries[family]
        folder = tmp_path / "model"
        shutil.copytree(source.folder or "", folder)
        return folder, ModelEntry.from_dict({**source.as_dict(), "name": "copy", "folder": str(folder)})

    return make


@pytest.fixture
def make_task(entries: dict[str, ModelEntry], tmp_path: Path) -> Callable[..., Draw]:
    numbers = iter(range(1000))

    def make(**changes: Any) -> Draw:
        fields: dict[str, Any] = {
            "task_id": f"task-{next(numbers)}",
            "entry": entries["sdxl"],
            "prompt": "otter, cowboy hat",
            "negative_prompt": "",
            "steps": 3,
            "guidance_scale": 5.0,
            "width": 64,
            "height": 64,
            "sampler": "UniPC",
            "seed": 7,
            "output": tmp_path / "picture.rgb",
        }
        return draw_task(**{**fields, **changes})

    return make


@pytest.fixture
def make_process(tmp_path: Path, servers: forks.Servers) -> Callable[..., GpuProcess]:
    servers("draws")  # in time: who waits for it in an event loop would stop that

    def make(**changes: Any) -> GpuProcess:
        settings: dict[str, Any] = {
            "device": "cpu",
            "lock_path": tmp_path / "card.lock",
            "threads": 1,
            "step_timeout": 30.0,
            "load_timeout": 60.0,
            "log": logging.getLogger("gpu-test"),
        }
        return GpuProcess(**{**settings, **changes})

    return make


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def process(tmp_path_factory: pytest.TempPathFactory, servers: forks.Servers) -> AsyncIterator[GpuProcess]:
    """One process for all tests that leave it well."""
    servers("draws")
    gpu = GpuProcess(
        device="cpu",
        lock_path=tmp_path_factory.mktemp("lock") / "card.lock",
        threads=1,
        step_timeout=30.0,
        load_timeout=60.0,
        log=logging.getLogger("gpu-test"),
    )
    yield gpu
    await gpu.stop()
