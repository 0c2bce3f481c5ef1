"""Models that are fetched on demand, from a hub on this machine."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_lab import Watcher
from hub import Hub

from otterbot_worker.errors import Cancelled, JobFailed
from otterbot_worker.gpu.messages import Draw, UsedControlNet
from otterbot_worker.gpu.process import GpuProcess
from otterbot_worker.images.load import loader
from otterbot_worker.images.load.controlnet import LoadedControlNet
from otterbot_worker.images.memory.placing import RESIDENT
from otterbot_worker.memory.device_info import Precision
from otterbot_worker.models import controlnets, download, files
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.schemas.draw_files import ControlFiles
from otterbot_worker.schemas.jobs import Progress


@pytest.fixture
def entry(entries: dict[str, ModelEntry]) -> ModelEntry:
    fields: dict[str, Any] = {**entries["sdxl"].as_dict(), "hub": "somebody/noise", "folder": None, "variant": None}
    return ModelEntry.from_dict(fields)


async def test_a_missing_model_is_fetched_once_if_that_is_allowed(
    hub: Hub,
    entry: ModelEntry,
    make_process: Callable[..., GpuProcess],
    make_task: Callable[..., Draw],
    tmp_path: Path,
) -> None:
    task = make_task(entry=entry)
    strict = make_process()
    with pytest.raises(JobFailed, match="downloads are not allowed"):
        await strict.draw(task, lambda _: None)
    await strict.stop()
    assert hub.asked == [], "nobody is asked where that is not allowed"

    gpu = make_process(downloads=True)
    with pytest.raises(JobFailed, match="could not be downloaded") as failed:
        await gpu.draw(make_task(entry={**entry.as_dict(), "hub": "somebody/nothing"}), lambda _: None)
    assert failed.value.code == "model_missing"
    hub.hold.clear()

    waiting = asyncio.create_task(gpu.draw(task, lambda _: None))
    assert await asyncio.to_thread(hub.file_asked.wait, 30)
    gpu.cancel(task.task_id)
    with pytest.raises(Cancelled):
        await waiting
    hub.hold.set()

    assert entry.here() is None
    hub.slowly = 0.05
    reported: list[Progress] = []
    await gpu.draw(task, reported.append)
    phases = list(dict.fromkeys(progress.phase for progress in reported))
    assert phases == ["loading", "downloading", "denoising", "decoding", "saving"]
    fetched = [progress for progress in reported if progress.phase == "downloading" and progress.steps]
    (total,) = {progress.steps for progress in fetched}
    folder = files.snapshot("somebody/noise")
    assert folder is not None
    assert total <= sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    done = [progress.step for progress in fetched]
    assert done == sorted(done)
    assert 0 < done[-1] <= total
    assert task.output.stat().st_size == 64 * 64 * 3
    assert entry.here() == folder
    asked = len(hub.asked)
    assert all("somebody/" in path for path in hub.asked), "no telemetry"
    await gpu.release()
    await gpu.draw(task, lambda _: None)
    assert len(hub.asked) == asked, "the hub is not asked about a model that is here"
    await gpu.stop()


def test_a_missing_controlnet_is_fetched_if_that_is_allowed(hub: Hub, data_dir: Path) -> None:
    hub.repositories["somebody/canny"] = data_dir / "models" / "noise-canny"
    # At a scale of 0 it is only looked for.
    control = ControlFiles(
        kind="canny", id="0" * 64, width=64, height=64, scale=0.0, start=0.0, end=1.0, name="canny", hash=None,
        hub="somebody/canny", picture="", canny=True, path=None,
    )  # fmt: skip
    where = (RESIDENT, torch.device("cpu"), Precision(storage="float32", compute="float32"))
    controls = LoadedControlNet()
    with pytest.raises(JobFailed) as failed:
        controls.load(None, control, *where, downloads=False, monitor=Watcher())
    assert (failed.value.code, hub.asked) == ("controlnet_missing", [])
    watcher = Watcher()
    controls.load(None, control, *where, downloads=True, monitor=watcher)
    assert watcher.phases[0][0] == "loading"
    folder = files.snapshot("somebody/canny")
    assert folder is not None
    assert sorted(path.name for path in folder.iterdir()) == sorted(files.SINGLE)
    assert controls.record == UsedControlNet(name="canny", hash=controlnets.hash_of(folder / files.SINGLE[1]))


class Progressed:
    """``images.monitor.Monitor``"""

    def __init__(self) -> None:
        self.said: list[tuple[str, int, int]] = []

    def progress(self, phase: str, step: int = 0, steps: int = 0) -> None:
        self.said.append((phase, step, steps))

    def check(self) -> None:
        pass


def test_a_single_file_is_fetched_alone(hub: Hub, tmp_path: Path, entries: dict[str, ModelEntry]) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "model.safetensors").write_bytes(b"x" * 3_000_000)
    (tmp_path / "one" / "other.safetensors").write_bytes(b"y")
    hub.repositories["somebody/one"] = tmp_path / "one"
    entry = replace(entries["sd"], hub="somebody/one", folder=None, file="model.safetensors")
    assert entry.here() is None
    hub.slowly, watcher = 0.3, Progressed()
    path = loader.locate(entry, downloads=True, monitor=watcher)
    assert path == entry.here()
    assert path.stat().st_size == 3_000_000
    assert {path.name for path in path.parent.iterdir()} == {"model.safetensors"}
    assert {(phase, steps) for phase, _, steps in watcher.said[1:-1]} <= {
        ("downloading", 0),
        ("downloading", 3_000_000),
    }
    assert watcher.said[-2][2] == 3_000_000
    assert watcher.said[-1][0] == "loading"
    missing = replace(entry, file="none.safetensors")
    with pytest.raises(JobFailed, match="the hub does not have the files of it that the catalogue asks for"):
        loader.locate(missing, downloads=True, monitor=watcher)
    with pytest.raises(JobFailed, match="downloads are not allowed"):
        loader.locate(missing, downloads=False, monitor=watcher)


def test_a_full_disk_is_seen_before_anything_is_fetched(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "model.safetensors").write_bytes(b"x" * 3_000_000)
    hub.repositories["somebody/one"] = tmp_path / "one"
    hub.slowly = 0.3
    usage = shutil.disk_usage(tmp_path)._replace(free=download.RESERVE + 2_000_000)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(download.DownloadFailed, match=r"it needs 0\.0 GB, and of the disk 1\.0 GB are free"):
        download.fetch("somebody/one", chosen=["model.safetensors"], monitor=Progressed())
    assert files.find_file(hub="somebody/one", file="model.safetensors") is None
