"""Clip skip: from which layer of CLIP the words are taken; recorded, written as A1111 writes it, and read back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from archive_records import record
from diffusers import StableDiffusionPipeline
from engine_lab import Watcher
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from otterbot_worker.archive import metadata, reading, showing
from otterbot_worker.errors import JobFailed
from otterbot_worker.families import FAMILIES
from otterbot_worker.families.prompt import Prompt
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.images.engine import Engine
from otterbot_worker.models.catalogue import Catalogue
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.schemas.requests import ImageOptions

Draws = Callable[..., tuple[list[str], bytes]]
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def draw(engine: Engine, make_task: Callable[..., Draw], catalogue: Catalogue) -> Draws:
    def draw(model: str, **changes: Any) -> tuple[list[str], bytes]:
        task = make_task(entry=catalogue.images[model], **changes)
        drawn = engine.draw(task, Watcher())
        return drawn.notes, task.output.read_bytes()

    return draw


@pytest.mark.parametrize("skip", [1, 2, 3])
def test_the_words_are_those_of_that_layer(entries: dict[str, ModelEntry], skip: int) -> None:
    """As A1111 and diffusers reckon: the hidden state so far from the end, through the final norm."""
    pipe, text = StableDiffusionPipeline.from_pretrained(entries["mini"].here(), safety_checker=None), "an otter"
    encoder, cpu = pipe.text_encoder, torch.device("cpu")
    prompt, negative = (Prompt(words, pipe.tokenizer, what="prompt") for words in (text, ""))
    ids = pipe.tokenizer([text, ""], padding="max_length", return_tensors="pt").input_ids
    with torch.no_grad():
        expected = encoder.final_layer_norm(encoder(ids, output_hidden_states=True).hidden_states[-skip])
        hooks = _hooks(encoder)
        settings = ImageOptions(clip_skip=skip)
        ours = FAMILIES["sd"].encode(pipe, cpu, prompt, negative, guided=True, settings=settings)
    assert torch.allclose(ours["prompt_embeds"][0], expected[0], atol=1e-5)
    assert torch.allclose(ours["negative_prompt_embeds"][0], expected[1], atol=1e-5)
    assert _hooks(encoder) == hooks


def _hooks(encoder: torch.nn.Module) -> list[list[int]]:
    return [[*module._forward_hooks, *module._forward_pre_hooks] for module in encoder.modules()]


def test_another_layer_is_another_picture_and_the_last_one_is_the_usual(draw: Draws) -> None:
    usual, *skipped = (draw("otter-mini", clip_skip=skip)[1] for skip in (None, 1, 2, 3))
    assert skipped[0] == usual
    assert len({usual, *skipped}) == 3
    assert draw("otter-mini")[1] == usual, "what was encoded for one is not taken for the other"


def test_a_layer_that_is_not_there_is_refused(draw: Draws) -> None:
    with pytest.raises(JobFailed, match="has 2 layers"):
        draw("tiny-sd", clip_skip=3)


@pytest.mark.parametrize("model", ["tiny-xl", "tiny-zimage"])
def test_where_it_has_no_effect_that_is_said(draw: Draws, model: str) -> None:
    settings = {"sampler": "Euler", "guidance_scale": 2.0}
    usual, same = draw(model, **settings), draw(model, clip_skip=2, **settings)
    assert same[1] == usual[1]
    assert [note for note in same[0] if note not in usual[0]] == [f"Clip skip has no effect with {model}."]


def test_it_is_written_as_a1111_writes_it_and_read_back(tmp_path: Path) -> None:
    whole = record(clip_skip=2)
    assert ", Clip skip: 2, " in metadata.a1111(whole)
    assert "Clip skip" not in metadata.a1111(record())
    for chunk, text in ((metadata.A1111_CHUNK, metadata.a1111(whole)), (metadata.OWN_CHUNK, metadata.own_chunk(whole))):
        info = PngInfo()
        info.add_text(chunk, text)
        Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=info)
        found = reading.read(tmp_path / "a.png")
        assert found.request["clip_skip"] == 2
        assert " --clip-skip 2 " in showing.command(found.request)
