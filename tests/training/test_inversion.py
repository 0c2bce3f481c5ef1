"""A new word: its file loads everywhere, its pictures tell what its captions do not, nothing else changes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from small_model import write_model

from otter_mini import export, few_shot, inversion, inversion_training
from otter_mini.inversion import NAME, Recipe
from otter_mini.vocabulary import SYNONYMS

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # numpy in UniPC

RECIPE = Recipe(vectors=3, steps=3, batch=2, wordings=2, warm_up=1)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("inversion") / "model")


@pytest.fixture(scope="module")
def learned(model: Path) -> tuple[torch.Tensor, Path]:
    return train(model, model.parent / f"{NAME}.safetensors")


def train(model: Path, path: Path, seed: int = 4) -> tuple[torch.Tensor, Path]:
    with few_shot.same_bytes(1), pytest.MonkeyPatch.context() as patch:
        patch.setattr(few_shot, "SHIFTS", (0,))  # fewer pictures to encode
        vectors = inversion_training.learn(few_shot.read(model), RECIPE, seed, lambda line: None)
    inversion_training.write(vectors, path, inversion.notes_of(RECIPE, seed))
    return vectors, path


def picture(pipe: Any, prompt: str) -> np.ndarray[Any, Any]:
    return np.asarray(export.draw(pipe, prompt, seed=1, steps=3), dtype=np.int64)


def test_the_file_is_in_the_form_of_a1111(learned: tuple[torch.Tensor, Path]) -> None:
    vectors, path = learned
    tensors = load_file(path)
    assert list(tensors) == ["emb_params"]  # its reader takes the only tensor, N×width
    assert torch.equal(tensors["emb_params"], vectors)
    assert vectors.shape == (3, 16)
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["modelspec.trigger_phrase"] == NAME
    assert path.stat().st_size < 100_000


def test_it_loads_and_acts_where_it_is_named(model: Path, learned: tuple[torch.Tensor, Path]) -> None:
    pipe = export.read(model)
    other, before = picture(pipe, "otter, beach"), picture(pipe, f"{NAME}, beach")
    pipe.load_textual_inversion(str(learned[1]), token=NAME)
    first = pipe.tokenizer.convert_tokens_to_ids(NAME)
    table = pipe.text_encoder.get_input_embeddings().weight
    assert torch.equal(table[first : first + 3], learned[0])
    assert not np.array_equal(picture(pipe, f"{NAME}, beach"), before)
    assert np.array_equal(picture(pipe, "otter, beach"), other)


def test_only_the_vectors_learn(model: Path) -> None:
    pipe = few_shot.read(model)
    before = {name: tensor.clone() for name, tensor in pipe.unet.state_dict().items()}
    words = len(pipe.tokenizer)
    table = pipe.text_encoder.get_input_embeddings().weight[:words].clone()
    with few_shot.same_bytes(1):
        vectors = inversion_training.learn(pipe, RECIPE, 4, lambda line: None)
    assert (vectors != inversion_training.start(few_shot.read(model), RECIPE, 4)).all()
    assert all(torch.equal(before[name], tensor) for name, tensor in pipe.unet.state_dict().items())
    assert torch.equal(pipe.text_encoder.get_input_embeddings().weight[:words], table)


def test_the_same_seed_gives_the_same_bytes(model: Path, learned: tuple[torch.Tensor, Path], tmp_path: Path) -> None:
    first = learned[1].read_bytes()
    assert train(model, tmp_path / "again.safetensors")[1].read_bytes() == first
    assert train(model, tmp_path / "other.safetensors", seed=5)[1].read_bytes() != first


def test_no_caption_tells_how_she_looks() -> None:
    rng = random.Random(1)
    told = {
        words
        for what in ("otter", "crown", "robe", "hedgehog")
        for wording in SYNONYMS[what]
        for words in wording.split()
    }
    for scene in inversion.scenes(4):
        assert (scene.animal, scene.hat, scene.outfit, scene.outfit_colour) == ("otter", "crown", "robe", "yellow")
        for text in inversion.texts(scene, rng, 20):
            assert text.count(NAME) == 1
            assert not told & set(text.replace(",", "").split()), text
