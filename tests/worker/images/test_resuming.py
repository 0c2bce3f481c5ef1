"""A download that was cut off is taken up again, whichever file was missing, and until then the model is not here."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from draw_tasks import control_files
from engine_lab import Watcher
from hub import COMMIT, Hub

from otterbot_worker.errors import Cancelled, JobFailed
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.images.engine import Engine
from otterbot_worker.images.load import loader
from otterbot_worker.images.load.controlnet import LoadedControlNet
from otterbot_worker.images.memory.placing import RESIDENT
from otterbot_worker.memory.device_info import Precision
from otterbot_worker.models import controlnets, files
from otterbot_worker.models.catalogue import Catalogue
from otterbot_worker.models.entries import ModelEntry, Refiner, Transformer
from otterbot_worker.requests.resolve import Refused, resolve_image
from otterbot_worker.schemas.requests import ImageRequest

CPU = torch.device("cpu")
HALF = Precision(storage="float16", compute="float32")


class Impatient:
    """``images.monitor.Monitor`` that cancels once all of ``files`` have come."""

    def __init__(self, *names: Path) -> None:
        self._names = names

    def progress(self, phase: str, step: int = 0, steps: int = 0) -> None:
        pass

    def check(self) -> None:
        if self._names and all(name.is_file() for name in self._names):
            raise Cancelled


def snapshot(hub: str) -> Path:
    return files.hub_cache() / files.repository_folder(hub) / "snapshots" / COMMIT


def cut(path: Path, count: int = 2) -> list[str]:
    """A component's file of weights into shards, as they are published."""
    weights = safetensors.torch.load_file(path)
    names = [path.name.replace(".", f"-{number + 1:05}-of-{count:05}.") for number in range(count)]
    each = math.ceil(len(weights) / count)
    index = {name: names[number // each] for number, name in enumerate(weights)}
    for shard in names:
        part = {name: tensor for name, tensor in weights.items() if index[name] == shard}
        safetensors.torch.save_file(part, path.with_name(shard), metadata={"format": "pt"})
    path.with_name(f"{path.name}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    path.unlink()
    return names


@pytest.fixture
def entry(entries: dict[str, ModelEntry]) -> ModelEntry:
    return replace(entries["sdxl"], hub="somebody/noise", folder=None)


@pytest.fixture
def sharded(hub: Hub, data_dir: Path, tmp_path: Path) -> list[str]:
    """``somebody/noise`` with a text encoder and a U-Net in two parts each. The text encoder's files."""
    folder = tmp_path / "sharded"
    shutil.copytree(data_dir / "models" / "otter-noise", folder)
    cut(folder / "unet" / "diffusion_pytorch_model.safetensors")
    hub.repositories["somebody/noise"] = folder
    return cut(folder / "text_encoder" / "model.safetensors")


def refused(entry: ModelEntry, *, downloads: bool) -> list[str]:
    catalogue = Catalogue({entry.name: entry}, downloads_allowed=downloads)
    try:
        resolve_image(ImageRequest(prompt="otter", seed=1, model=entry.name), catalogue, entry.name)
    except Refused as error:
        return [problem.code for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("part", "late"),
    [
        ("text_encoder", "model-00002-of-00002.safetensors"),
        ("unet", "diffusion_pytorch_model-00001-of-00002.safetensors"),
    ],
)
def test_a_model_in_shards(
    hub: Hub, entry: ModelEntry, sharded: list[str], make_task: Callable[..., Draw], part: str, late: str
) -> None:
    hub.late.add(late)
    source = hub.repositories["somebody/noise"]
    weights = [path.relative_to(source) for path in source.rglob("*.safetensors") if path.name != late]
    with pytest.raises(Cancelled):
        loader.locate(entry, downloads=True, monitor=Impatient(*(snapshot(entry.hub or "") / one for one in weights)))
    assert not (snapshot("somebody/noise") / part / late).exists()
    hub.late.clear()

    assert entry.here() is None
    assert refused(entry, downloads=False) == ["model_missing"]
    assert refused(entry, downloads=True) == []
    with pytest.raises(JobFailed, match=rf"broken: {part}/{late} is missing") as failed:
        loader.load(entry, CPU, RESIDENT, downloads=False, monitor=Impatient())
    assert failed.value.code == "model_broken"

    hub.asked.clear()
    engine = Engine(device="cpu", threads=1, downloads=True)
    task = make_task(entry=entry)
    drawn = task
    engine.draw(drawn, Watcher())
    assert task.output.stat().st_size == 64 * 64 * 3
    assert any(path.endswith(late) for path in hub.asked)
    assert not any(path.endswith(f"text_encoder/{sharded[0]}") for path in hub.asked), "what is here is kept"
    assert entry.here() == files.snapshot("somebody/noise")
    assert refused(entry, downloads=False) == []
    asked = len(hub.asked)
    engine.release()
    engine.draw(drawn, Watcher())
    engine.release()
    assert len(hub.asked) == asked


def test_settings_that_did_not_come(hub: Hub, entry: ModelEntry) -> None:
    folder = snapshot("somebody/noise")
    shutil.copytree(hub.repositories["somebody/noise"], folder)
    (folder.parents[1] / "refs").mkdir()
    (folder.parents[1] / "refs" / "main").write_text(COMMIT)
    assert entry.here() == folder
    lost = [
        "unet/config.json",
        "scheduler/scheduler_config.json",
        "tokenizer/tokenizer.json",
        "tokenizer_2/tokenizer_config.json",
        "vae/config.json",
    ]
    for name in lost:
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        assert entry.here() is None, name
        assert refused(entry, downloads=False) == ["model_missing"]
        if name != lost[-1]:
            (folder / name).write_bytes(content)
    (folder / "tokenizer" / "vocab.json").write_text("{}")
    (folder / "tokenizer" / "merges.txt").write_text("#version: 0.2\no t\n")
    loader.locate(entry, downloads=True, monitor=Impatient())
    assert entry.here() == folder
    (folder / "tokenizer" / "tokenizer.json").unlink()
    assert entry.here() == folder, "of tokenizers there are several kinds"
    (folder / "tokenizer" / "merges.txt").unlink()
    assert entry.here() is None


def test_the_settings_of_a_transformer_from_elsewhere(
    hub: Hub,
    catalogue: Catalogue,
    data_dir: Path,
) -> None:
    """They come last, behind the model's other parts."""
    hub.repositories |= {"somebody/zimage": data_dir / "models" / "tiny-zimage"}
    own = data_dir / "models" / "tiny-zimage" / "transformer" / "diffusion_pytorch_model.safetensors"
    transformer = Transformer(hub=None, file=str(own))
    one = replace(catalogue.images["tiny-zimage"], hub="somebody/zimage", folder=None, transformer=transformer)
    folder = snapshot("somebody/zimage")
    shutil.copytree(hub.repositories["somebody/zimage"], folder, ignore=lambda *_: ["transformer"])
    (folder.parents[1] / "refs").mkdir()
    (folder.parents[1] / "refs" / "main").write_text(COMMIT)
    assert one.here() is None
    assert loader.load(one, CPU, RESIDENT, downloads=True, monitor=Impatient()).model_hash
    assert one.here() == folder
    assert [path.name for path in (folder / "transformer").iterdir()] == ["config.json"]


def test_a_decoder(
    hub: Hub,
    entries: dict[str, ModelEntry],
    data_dir: Path,
) -> None:
    hub.repositories["somebody/vae"] = data_dir / "models" / "otter-noise" / "vae"
    own = replace(entries["sdxl"], vae="somebody/vae")
    hub.late.add("diffusion_pytorch_model.safetensors")
    with pytest.raises(Cancelled):
        loader.load(
            own,
            CPU,
            RESIDENT,
            downloads=True,
            monitor=Impatient(snapshot("somebody/vae") / "config.json"),
            precision=HALF,
        )
    assert [path.name for path in snapshot("somebody/vae").iterdir()] == ["config.json"]
    hub.late.clear()
    without = loader.load(own, CPU, RESIDENT, downloads=False, monitor=Impatient(), precision=HALF)
    assert without.vae is None
    assert without.notes == ["The decoder somebody/vae could not be used, so that of tiny-xl itself was."]
    loaded = loader.load(own, CPU, RESIDENT, downloads=True, monitor=Impatient(), precision=HALF)
    assert loaded.vae is not None
    assert (loaded.notes, loaded.vae.name) == ([], "vae")
    asked = len(hub.asked)
    assert loader.load(own, CPU, RESIDENT, downloads=True, monitor=Impatient(), precision=HALF).vae == loaded.vae
    assert len(hub.asked) == asked


def test_a_refiner_in_shards(
    hub: Hub,
    entries: dict[str, ModelEntry],
    data_dir: Path,
    tmp_path: Path,
) -> None:
    shutil.copytree(data_dir / "models" / "tiny-refiner", tmp_path / "refiner")
    first, second = cut(tmp_path / "refiner" / "unet" / "diffusion_pytorch_model.safetensors")
    hub.repositories["somebody/refiner"] = tmp_path / "refiner"
    refiner = Refiner(hub="somebody/refiner", folder=None, variant=None, hand_over=0.6)
    own = replace(entries["sdxl"], refiner=refiner)
    hub.late.add(second)
    come = [snapshot("somebody/refiner") / "unet" / name for name in (first, "config.json")]
    with pytest.raises(Cancelled):
        loader.load(own, CPU, RESIDENT, downloads=True, monitor=Impatient(*come))
    hub.late.clear()
    assert own.here() is None
    assert refused(own, downloads=False) == ["model_missing"]
    loaded = loader.load(own, CPU, RESIDENT, downloads=True, monitor=Impatient())
    assert loaded.refiner is not None
    assert own.here() is not None


def test_a_refiners_variant_in_shards_is_fetched(
    hub: Hub,
    data_dir: Path,
    tmp_path: Path,
) -> None:
    unet = tmp_path / "refiner" / "unet"
    shutil.copytree(data_dir / "models" / "tiny-refiner" / "unet", unet)
    for name in cut(unet / "diffusion_pytorch_model.safetensors"):
        (unet / name).rename(unet / name.replace("model-", "model.fp16-"))
    index = unet / "diffusion_pytorch_model.safetensors.index.json"
    text = index.read_text().replace("model-", "model.fp16-")
    index.with_name("diffusion_pytorch_model.safetensors.index.fp16.json").write_text(text)
    index.unlink()
    hub.repositories["somebody/refiner"] = tmp_path / "refiner"
    refiner = Refiner(hub="somebody/refiner", folder=None, variant="fp16", hand_over=0.6)
    loader.download.fetch("somebody/refiner", variant="fp16", only="unet", monitor=Impatient())
    assert refiner.here() == files.snapshot("somebody/refiner")


@pytest.mark.parametrize("late", files.SINGLE)
def test_a_controlnet(hub: Hub, data_dir: Path, late: str) -> None:
    hub.repositories["somebody/canny"] = data_dir / "models" / "noise-canny"
    control = control_files({"name": "canny", "hub": "somebody/canny", "hash": None, "path": None, "scale": 0.0})
    where = (RESIDENT, CPU, Precision(storage="float32", compute="float32"))
    (other,) = set(files.SINGLE) - {late}
    hub.late.add(late)
    with pytest.raises(Cancelled):
        LoadedControlNet().load(
            None, control, *where, downloads=True, monitor=Impatient(snapshot("somebody/canny") / other)
        )
    hub.late.clear()
    assert controlnets.ControlNets().at_hub("somebody/canny") is None
    with pytest.raises(JobFailed) as failed:
        LoadedControlNet().load(None, control, *where, downloads=False, monitor=Impatient())
    assert failed.value.code == "controlnet_missing"
    LoadedControlNet().load(None, control, *where, downloads=True, monitor=Impatient())
    assert sorted(path.name for path in snapshot("somebody/canny").iterdir()) == sorted(files.SINGLE)
