"""A quantised transformer in the place of a model's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import quantised
import safetensors.torch
import torch
from engine_lab import Watcher
from published_names import published_klein, published_zimage

from otterbot_worker.errors import JobFailed
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.gpu.process import GpuProcess
from otterbot_worker.images.engine import Engine
from otterbot_worker.images.load import loader
from otterbot_worker.images.memory.placing import RESIDENT
from otterbot_worker.memory.device_info import DeviceInfo
from otterbot_worker.models.catalogue import Catalogue
from otterbot_worker.models.entries import Transformer

Weights = dict[str, torch.Tensor]


# With room for the published models: a transformer that is a file of its own is counted as theirs.
PROCESSOR = DeviceInfo(kind="cpu", total=64 * 10**9, available=64 * 10**9, ram_available=64 * 10**9)
CARDS = {
    "processor": PROCESSOR,
    "8.6": replace(PROCESSOR, kind="cuda", capability=(8, 6), bf16=True),
    "7.5": replace(PROCESSOR, kind="cuda", capability=(7, 5)),
    "6.1": replace(PROCESSOR, kind="cuda", capability=(6, 1)),
}


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize(("model", "published"), [("tiny-zimage", published_zimage), ("tiny-klein", published_klein)])
def test_a_quantised_transformer_draws_what_its_values_draw(
    model: str,
    published: Callable[[Weights], Weights],
    card: str,
    catalogue: Catalogue,
    make_task: Callable[..., Draw],
    tmp_path: Path,
) -> None:
    pytest.importorskip("gguf")
    entry = catalogue.images[model]
    own = safetensors.torch.load_file(Path(entry.folder or "") / "transformer" / "diffusion_pytorch_model.safetensors")
    kept = quantised.write(tmp_path / "small.gguf", published(own), "test")
    assert (tmp_path / "small.gguf").stat().st_size < 0.6 * sum(tensor.nbytes for tensor in own.values())
    safetensors.torch.save_file(kept, tmp_path / "same.safetensors")
    engine = Engine(device="cpu", threads=1, measure=lambda _device, _held: CARDS[card])
    pictures = []
    for file in ("small.gguf", "same.safetensors", None):
        other = {"hub": None, "file": str(tmp_path / file)} if file is not None else None
        fields = {**entry.as_dict(), "transformer": other}
        task = make_task(entry=fields, sampler="Euler", guidance_scale=entry.defaults.guidance_scale)
        engine.draw(task, Watcher())
        pictures.append(task.output.read_bytes())
    assert len(set(pictures[0])) > 20
    packed, same, without = (np.frombuffer(picture, np.uint8).astype(int) for picture in pictures)
    if card == "processor":
        # Unpacked as they are computed, the sums are others in the last place.
        assert np.abs(packed - same).max() <= 1
        assert np.mean(packed != same) < 0.03 < 0.05 < np.mean(packed != without)
    else:  # the same values, rounded to bf16; and computed in bf16 where the card can
        assert np.abs(packed - same).mean() < (2.0 if CARDS[card].bf16 else 0.2)


async def test_a_broken_one_is_named(
    catalogue: Catalogue, process: GpuProcess, make_task: Callable[..., Draw], tmp_path: Path
) -> None:
    entry, file = catalogue.images["tiny-zimage"], tmp_path / "half.gguf"
    quantised.write(file, {"layers.0.attention.qkv.weight": torch.ones(96, 32)}, "test")
    os.truncate(file, file.stat().st_size - 40)
    fields: dict[str, Any] = {**entry.as_dict(), "transformer": {"hub": None, "file": str(file)}}
    with pytest.raises(JobFailed, match=r"the file half\.gguf is cut off") as failed:
        await process.draw(make_task(entry=fields, sampler="Euler", guidance_scale=0.0), lambda _: None)
    assert failed.value.code == "model_broken"


def _half(weights: Weights) -> Weights:
    return {name: weights[name] for name in list(weights)[: len(weights) // 2]}


@pytest.mark.parametrize("end", ["gguf", "safetensors"])
@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("klein", "the file klein.{end} is made for another architecture than Z-Image's"),
        ("own-klein", "the file own-klein.{end} is made for another architecture than Z-Image's"),
        ("half", "weights of its transformer are missing in half.{end}"),
        ("rest", "weights of its transformer are missing in rest.{end}"),
        ("own-half", "weights of its transformer are missing in own-half.{end}"),
        ("wide", "the file wide.{end} is made for another model than this one: its weights have other shapes"),
    ],
)
def test_one_that_does_not_fit_is_named(
    catalogue: Catalogue, tmp_path: Path, file: str, sentence: str, end: str
) -> None:
    if end == "gguf":
        pytest.importorskip("gguf")
    zimage, klein = (
        safetensors.torch.load_file(
            Path(catalogue.images[model].folder or "") / "transformer" / "diffusion_pytorch_model.safetensors"
        )
        for model in ("tiny-zimage", "tiny-klein")
    )
    published = published_zimage(zimage)
    weights = {
        "klein": published_klein(klein),
        "own-klein": klein,
        "half": _half(published),
        "rest": {name: tensor for name, tensor in published.items() if name not in _half(published)},
        "own-half": _half(zimage),
        "wide": {name: torch.cat([tensor, tensor]) for name, tensor in published.items()},
    }[file]
    path = tmp_path / f"{file}.{end}"
    if end == "gguf":
        quantised.write(path, weights, "test")
    else:
        safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in weights.items()}, path)
    entry = replace(catalogue.images["tiny-zimage"], name="mine", transformer=Transformer(hub=None, file=str(path)))
    with pytest.raises(JobFailed) as failed:
        loader.load(entry, torch.device("cpu"), RESIDENT, downloads=False, monitor=Watcher())
    assert failed.value.code == "model_broken"
    assert failed.value.message == f"The model mine is broken: {sentence.format(end=end)}."


def test_the_other_way_round_too(catalogue: Catalogue, tmp_path: Path) -> None:
    """Where diffusers' own rules fail at a name."""
    own = Path(catalogue.images["tiny-zimage"].folder or "") / "transformer" / "diffusion_pytorch_model.safetensors"
    zimage = Transformer(hub=None, file=str(own))
    for model, title in (("tiny-klein", "FLUX.2 klein"), ("tiny-sd3", "Stable Diffusion 3")):
        entry = replace(catalogue.images[model], transformer=zimage)
        with pytest.raises(JobFailed, match=rf"{own.name} is made for another architecture than {title}'s"):
            loader.load(entry, torch.device("cpu"), RESIDENT, downloads=False, monitor=Watcher())
    half = tmp_path / "half.safetensors"
    layer = {
        "joint_blocks.0.x_block.attn.qkv.weight": torch.ones(96, 32),
        "context_embedder.weight": torch.ones(32, 64),
    }
    safetensors.torch.save_file(layer, half)
    entry = replace(catalogue.images["tiny-sd3"], transformer=Transformer(hub=None, file=str(half)))
    with pytest.raises(JobFailed, match=r"weights of its transformer are missing in half\.safetensors"):
        loader.load(entry, torch.device("cpu"), RESIDENT, downloads=False, monitor=Watcher())
