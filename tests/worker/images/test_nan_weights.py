"""Weights that are not a number are called that; another seed or sampler would help no such model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from engine_lab import Watcher

from otterbot_worker.errors import JobFailed
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.images.engine import Engine
from otterbot_worker.models.entries import ModelEntry

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(
    ("part", "words"), [("unet", "U-Net"), ("vae", "decoder (VAE)"), ("text_encoder_2", "second text encoder")]
)
def test_weights_that_are_not_a_number_are_named(
    part: str,
    words: str,
    broken_copy: Callable[[str], tuple[Path, ModelEntry]],
    make_task: Callable[..., Draw],
    engine: Engine,
) -> None:
    folder, entry = broken_copy("sdxl")
    [path] = (folder / part).glob("*.safetensors")
    weights = safetensors.torch.load_file(path)
    name = next(key for key in weights if key.endswith(("conv_out.weight", "final_layer_norm.weight")))
    weights[name] = torch.full_like(weights[name], torch.nan)
    if part == "vae":
        weights["decoder.conv_out.weight"] = torch.full_like(weights["decoder.conv_out.weight"], torch.nan)
    safetensors.torch.save_file(weights, path, {"format": "pt"})
    task = make_task(entry=entry)
    with pytest.raises(JobFailed) as failed:
        engine.draw(task, Watcher())
    assert failed.value.code == "model_broken"
    assert failed.value.message == f"The model copy is broken: weights of its {words} are no finite numbers (NaN)."
