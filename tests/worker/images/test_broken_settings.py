"""Settings of a model's parts that would fail only while a picture is drawn, or draw another one: refused by file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from otterbot_worker.errors import JobFailed
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.models.entries import ModelEntry

if TYPE_CHECKING:
    from otterbot_worker.images.engine import Engine

pytestmark = pytest.mark.filterwarnings("ignore")
Copy = tuple[Path, ModelEntry]
Draws = Callable[[ModelEntry], Any]

SCHEDULER, TOKENIZER = "scheduler/scheduler_config.json", "tokenizer/tokenizer_config.json"
ENCODER, VAE = "text_encoder/config.json", "vae/config.json"


class Nobody:
    """Watches."""

    def progress(self, phase: str, step: int = 0, steps: int = 0) -> None: ...
    def preview(self, picture: bytes, frame: int = 0) -> None: ...
    def check(self) -> None: ...


@pytest.fixture
def draw(engine: Engine, make_task: Callable[..., Draw]) -> Draws:
    def make(entry: ModelEntry) -> Any:
        return engine.draw(make_task(entry=entry, steps=2, sampler="DDIM"), Nobody())

    return make


def refused(draw: Draws, entry: ModelEntry) -> str:
    with pytest.raises(JobFailed) as failed:
        draw(entry)
    assert failed.value.code == "model_broken", failed.value.message
    return failed.value.message


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        *((TOKENIZER, "model_max_length", value) for value in (10**400, float("nan"), -5, 0, 1, "77", None, 100)),
        *((SCHEDULER, key, float("nan")) for key in ("beta_start", "beta_end")),
        (SCHEDULER, "beta_end", 1e30),
        (SCHEDULER, "prediction_type", "text"),
        (SCHEDULER, "timestep_spacing", None),
        (ENCODER, "layer_norm_eps", float("nan")),
        (ENCODER, "layer_norm_eps", None),
        (ENCODER, "eos_token_id", None),
        (ENCODER, "num_attention_heads", -1),
        (ENCODER, "num_hidden_layers", 0),
        *((VAE, "scaling_factor", value) for value in (float("nan"), 0, "0.18", -1.0)),
        (VAE, "shift_factor", 1e30),
        (VAE, "norm_num_groups", -1),
        (VAE, "layers_per_block", 0),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_value_that_nothing_can_be_drawn_by(
    broken_copy: Callable[[str], Copy], draw: Draws, place: str, key: str, value: Any
) -> None:
    folder, entry = broken_copy("sd")
    settings = json.loads((folder / place).read_text())
    (folder / place).write_text(json.dumps({**settings, key: value}))
    assert place in refused(draw, entry)


@pytest.mark.parametrize("mark", ["bos_token", "eos_token"])
def test_a_mark_that_the_text_encoder_does_not_know(broken_copy: Callable[[str], Copy], draw: Draws, mark: str) -> None:
    folder, entry = broken_copy("sd")
    settings = json.loads((folder / TOKENIZER).read_text())
    (folder / TOKENIZER).write_text(json.dumps({**settings, mark: "something new"}))
    assert "the words of its tokenizer are not those of its text_encoder" in refused(draw, entry)


def as_pair(folder: Path) -> None:
    """Its words in the two files of former years."""
    path = folder / "tokenizer.json"
    model = json.loads(path.read_text())["model"]
    path.unlink()
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))


@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.json", "merges.txt"])
@pytest.mark.parametrize("how", ["missing", "empty", "pipe"])
def test_a_tokenizer_without_words(broken_copy: Callable[[str], Copy], draw: Draws, name: str, how: str) -> None:
    """Everything was drawn with it but the prompt, without a word."""
    folder, entry = broken_copy("sd")
    if name != "tokenizer.json":
        as_pair(folder / "tokenizer")
    path = folder / "tokenizer" / name
    path.unlink()
    if how == "empty":
        path.touch()
    elif how == "pipe":
        os.mkfifo(path)
    said = {"missing": "is missing", "empty": "is empty", "pipe": "is a pipe, not a file"}[how]
    assert refused(draw, entry) == f"The model copy is broken: tokenizer/{name} {said}."


def test_words_of_another_model(broken_copy: Callable[[str], Copy], draw: Draws) -> None:
    folder, entry = broken_copy("sd")
    path = folder / "tokenizer" / "tokenizer.json"
    words = json.loads(path.read_text())
    kept = dict(list(words["model"]["vocab"].items())[:200])
    pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in words["model"]["merges"])
    merges = [[a, b] for a, b in pairs if a in kept and b in kept and a + b in kept]
    path.write_text(json.dumps({**words, "model": {**words["model"], "vocab": kept, "merges": merges}}))
    assert "the words of its tokenizer are not those of its text_encoder" in refused(draw, entry)


def test_both_ways_to_keep_words_draw(broken_copy: Callable[[str], Copy], draw: Draws) -> None:
    folder, entry = broken_copy("sd")
    as_pair(folder / "tokenizer")
    os.mkfifo(folder / "tokenizer" / "tokenizer.json")  # nobody opens it where the others are there
    assert draw(entry).width == 64
