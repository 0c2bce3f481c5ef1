"""A LoRA's file is small, says what it is for, and acts as much as its weight says; the same seed gives its bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft.tuners.lora import LoraLayer
from peft.utils import get_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file
from small_model import write_model

from otter_mini import export, few_shot, lora, lora_training
from otter_mini.lora import Recipe
from otter_mini.scenes import ANIMALS, HATS, HELD_OUT_SUBJECT, OUTFITS, PLACES, STYLES
from otter_mini.vocabulary import SYNONYMS

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # numpy in UniPC

RECIPE = Recipe(steps=3, batch=2, remembered=2, prompts=2, wordings=2, rank=2, warm_up=1)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("lora") / "model")


@pytest.fixture(scope="module")
def learned(model: Path) -> tuple[Any, Path]:
    """The pipeline that learned, and its file."""
    return train(model, model.parent / "hedgehog.safetensors")


@pytest.fixture
def pipe(model: Path, learned: tuple[Any, Path]) -> Iterator[Any]:
    """A fresh pipeline with the file loaded as ``hedgehog``."""
    fresh = export.read(model)
    fresh.load_lora_weights(str(learned[1].parent), weight_name=learned[1].name, adapter_name="hedgehog")
    yield fresh
    fresh.unload_lora_weights()


def train(model: Path, path: Path, seed: int = 3) -> tuple[Any, Path]:
    with few_shot.same_bytes(1), pytest.MonkeyPatch.context() as patch:
        patch.setattr(few_shot, "SHIFTS", (0,))  # fewer pictures to encode
        pipe = few_shot.read(model)
        lora_training.learn(pipe, RECIPE, seed, lambda line: None)
    lora_training.write(pipe, path, lora.notes_of(RECIPE, seed, 256))
    return pipe, path


def picture(pipe: Any) -> np.ndarray[Any, Any]:
    return np.asarray(export.draw(pipe, "hedgehog, beach", seed=1, steps=3), dtype=np.int64)


def test_every_layer_that_learned_is_loaded(learned: tuple[Any, Path], pipe: Any) -> None:
    teacher = learned[0]
    for part in ("unet", "text_encoder"):
        wanted = get_peft_model_state_dict(getattr(teacher, part), adapter_name=lora.TRIGGER)
        found = get_peft_model_state_dict(getattr(pipe, part), adapter_name="hedgehog")
        assert wanted
        assert found.keys() == wanted.keys()
        for name, tensor in wanted.items():
            assert torch.equal(found[name].half(), tensor.half()), name
        scales = {layer.scaling["hedgehog"] for layer in getattr(pipe, part).modules() if isinstance(layer, LoraLayer)}
        assert scales == {1.0}


def test_every_layer_learned_something(learned: tuple[Any, Path]) -> None:
    tensors = load_file(learned[1])
    still = [name for name, tensor in tensors.items() if "lora_B" in name and not tensor.any()]
    assert still == []
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}


def test_the_weight_scales_it_and_zero_is_the_base(model: Path, pipe: Any) -> None:
    base = picture(export.read(model))
    away = {}
    for weight in (0.0, 8.0, 40.0):  # three steps teach little
        pipe.set_adapters(["hedgehog"], [weight])
        away[weight] = float(np.abs(picture(pipe) - base).mean())
    assert away[0.0] == 0
    assert 0 < away[8.0] < away[40.0]
    pipe.unload_lora_weights()
    assert np.array_equal(picture(pipe), base)


def test_the_same_seed_gives_the_same_bytes(model: Path, learned: tuple[Any, Path], tmp_path: Path) -> None:
    first = learned[1].read_bytes()
    assert train(model, tmp_path / "again.safetensors")[1].read_bytes() == first
    assert train(model, tmp_path / "other.safetensors", seed=4)[1].read_bytes() != first


def test_the_head_says_what_the_file_is_for(learned: tuple[Any, Path]) -> None:
    with safe_open(learned[1], framework="pt") as file:
        notes = file.metadata()
    assert notes["modelspec.trigger_phrase"] == "hedgehog"
    tags = json.loads(notes["ss_tag_frequency"])["hedgehog"]
    assert tags["hedgehog"] == 10
    assert {"cowboy hat", "beach"} <= tags.keys()


def test_the_file_of_the_real_model_stays_below_a_megabyte() -> None:
    """Counted on a U-Net and a text encoder of the real size, without their weights."""
    from otter_mini import diffusion
    from otter_mini.recipe import Recipe as Training

    training = Training()
    with torch.device("meta"):
        both = diffusion.Both(training.diffusion, tokens=1500, channels=training.vae.latent_channels, side=16)
    numbers = 0
    for part, layers in ((both.unet, lora_training.UNET_LAYERS), (both.text_encoder, lora_training.TEXT_LAYERS)):
        for name, layer in part.named_modules():
            if lora_training.learns(name, layers):
                kernel = layer.weight.shape[2:].numel()
                numbers += Recipe.rank * (layer.weight.shape[1] * kernel + layer.weight.shape[0])
    assert 300_000 < numbers < 485_000


def test_the_pictures_show_everything_with_a_hedgehog() -> None:
    scenes = lora.scenes(3)
    assert len(scenes) == 10
    assert {scene.animal for scene in scenes} == {HELD_OUT_SUBJECT}
    assert {scene.hat for scene in scenes} == {None, *HATS}
    assert {scene.outfit for scene in scenes} == {None, *OUTFITS}
    assert {scene.place for scene in scenes} == {None, *PLACES}
    assert {scene.style for scene in scenes} == set(STYLES)


def test_what_is_remembered_names_no_hedgehog() -> None:
    prompts = lora.own_prompts(3, 60)
    assert not any("hedgehog" in prompt.lower() for prompt in prompts)
    animals = re.compile("|".join(rf"\b{name}\b" for animal in ANIMALS for name in SYNONYMS[animal]))
    nobody = [prompt for prompt in prompts if not animals.search(prompt.lower())]
    assert 10 <= len(nobody) < 24, "every sixth, and captions that name none anyway"
