"""Scaled weights in 8 bits draw what they mean, in single files, transformers, ControlNets and decoders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ldm
import numpy as np
import pytest
import safetensors.torch
import scaled_files
import tiny_controlnets
import torch
from engine_lab import Watcher
from published_names import published_zimage

from otterbot_worker.errors import JobFailed
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.images.engine import Engine
from otterbot_worker.images.load import controlnet_loader, loader, vae_loader
from otterbot_worker.images.memory.placing import RESIDENT
from otterbot_worker.models import controlnets
from otterbot_worker.models.catalogue import Catalogue
from otterbot_worker.models.entries import ModelEntry

pytestmark = pytest.mark.filterwarnings("ignore")
Drawn = Callable[..., bytes]
Weights = dict[str, torch.Tensor]


def same(one: bytes, other: bytes) -> bool:
    """But for the last place of sums, whose order depends on where in memory a tensor lies."""
    pixels = [np.frombuffer(picture, np.uint8).astype(int) for picture in (one, other)]
    return bool(np.abs(pixels[0] - pixels[1]).max() <= 1)


@pytest.fixture
def picture(engine: Engine, make_task: Callable[..., Draw]) -> Drawn:
    def picture(entry: ModelEntry, **changes: Any) -> bytes:
        task = make_task(entry=entry, **changes)
        engine.draw(task, Watcher())
        return task.output.read_bytes()

    return picture


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Weights]:
    root = tmp_path_factory.mktemp("sdxl")
    return root, ldm.make("sdxl", root)


@pytest.mark.parametrize("form", scaled_files.FORMS)
def test_a_single_file(
    form: str, small: tuple[Path, Weights], picture: Drawn, entries: dict[str, ModelEntry], tmp_path: Path
) -> None:
    root, weights = small
    made, meant = scaled_files.scaled(weights, form)
    pictures = []
    for name, state in (("scaled", made), ("meant", meant), ("plain", weights)):
        file = tmp_path / f"{name}.safetensors"
        safetensors.torch.save_file(state, file)
        entry = replace(entries["sdxl"], name=name, folder=None, file=str(file), config=str(root / "config"))
        pictures.append(picture(entry))
    assert same(pictures[0], pictures[1])
    assert not same(pictures[1], pictures[2])


@pytest.mark.parametrize("form", scaled_files.FORMS)
def test_a_transformer(form: str, catalogue: Catalogue, picture: Drawn, tmp_path: Path) -> None:
    entry = catalogue.images["tiny-zimage"]
    own = safetensors.torch.load_file(Path(entry.folder or "") / "transformer" / "diffusion_pytorch_model.safetensors")
    made, meant = scaled_files.scaled(published_zimage(own), form)
    pictures = []
    for name, state in (("scaled", made), ("meant", meant)):
        safetensors.torch.save_file(state, tmp_path / f"{name}.safetensors")
        fields = {**entry.as_dict(), "transformer": {"hub": None, "file": str(tmp_path / f"{name}.safetensors")}}
        pictures.append(picture(ModelEntry.from_dict(fields), sampler="Euler", guidance_scale=0.0))
    assert len(set(pictures[0])) > 20
    assert same(pictures[0], pictures[1])


@pytest.mark.parametrize("original", [False, True])
def test_a_controlnet_in_eight_bits(entries: dict[str, ModelEntry], tmp_path: Path, original: bool) -> None:
    """Plain, it was taken for a file that is cut off; scaled, it steers by what it means."""
    pipe = loader.load(entries["sd"], torch.device("cpu"), RESIDENT, downloads=False, monitor=Watcher()).pipe
    net = tiny_controlnets.make(pipe.unet)
    state = tiny_controlnets.original_names(net) if original else dict(net.state_dict())
    plain = {name: tensor.to(torch.float8_e4m3fn).contiguous() for name, tensor in state.items()}
    made, meant = scaled_files.scaled(state, "weight_scale")
    held = []
    for name, weights in {"plain": plain, "made": made, "meant": meant}.items():
        path = tmp_path / "controlnets" / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        safetensors.torch.save_file(weights, path)
        found = controlnets.ControlNets(tmp_path).find(name)
        assert found is not None
        assert found.problem is None
        held.append(controlnet_loader.load(path, pipe.unet, torch.float32).state_dict())
    for name in held[0]:
        assert torch.equal(held[1][name], held[2][name])
        assert torch.allclose(held[0][name], net.state_dict()[name], atol=0.3, rtol=0.1)


def test_a_decoder(entries: dict[str, ModelEntry], tmp_path: Path) -> None:
    folder = Path(entries["sd"].folder or "")
    state = safetensors.torch.load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
    made, meant = scaled_files.scaled(state, "scale_weight")
    held = []
    for name, weights in {"made": made, "meant": meant}.items():
        safetensors.torch.save_file(weights, tmp_path / f"{name}.safetensors")
        entry = replace(entries["sd"], vae_path=str(tmp_path / f"{name}.safetensors"))
        held.append(vae_loader.load(entry, Path(entry.vae_path or ""), torch.float32)[0].state_dict())
    assert all(torch.equal(held[0][name], held[1][name]) for name in held[0])


def test_a_folder_whose_parts_are_scaled_is_refused(
    broken_copy: Callable[[str], tuple[Path, ModelEntry]],
) -> None:
    """diffusers would pass the scales by and draw with the bare numbers."""
    folder, entry = broken_copy("sdxl")
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    made, _ = scaled_files.scaled(safetensors.torch.load_file(path), "weight_scale")
    safetensors.torch.save_file(made, path)
    with pytest.raises(JobFailed) as failed:
        loader.load(entry, torch.device("cpu"), RESIDENT, downloads=False, monitor=Watcher())
    assert failed.value.message == (
        "The model copy is broken: unet/diffusion_pytorch_model.safetensors holds scaled weights (`weight_scale`), "
        "which only single files may."
    )
