"""Chunks, conjunctions and blends against compel's own, and the cache of embeddings, on small real pipelines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lora_files as files
import pytest
import torch
from compel import CompelForSD
from engine_lab import FAMILIES, Draws, drawer, embeds, pipe_of
from torch.utils._pytree import tree_leaves, tree_map

from otterbot_worker.gpu.messages import Draw
from otterbot_worker.images.draw.prompt_cache import ENTRIES_MAX, Embeddings
from otterbot_worker.images.engine import Engine
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.prompts import foreign

pytestmark = pytest.mark.filterwarnings("ignore")
CPU = torch.device("cpu")


@pytest.fixture
def draw(engine: Engine, make_task: Callable[..., Draw], entries: dict[str, ModelEntry]) -> Draws:
    return drawer(engine, make_task, entries, steps=1)


COMPOUNDS = [
    '("a red cat", "a blue dog").and()',
    '("a red cat", "a (blue)1.3 dog").and(0.5, 1)',
    '("a red cat", "a blue dog").blend(0.7, 0.3)',
    '("a red cat", "a blue dog", "x").blend(1, 2, 1)',
    '("a red cat", "a blue dog").blend(1, 0.5, no_normalize)',
]


@pytest.mark.parametrize("prompt", COMPOUNDS)
def test_what_compel_makes_of_it(engine: Engine, draw: Draws, prompt: str) -> None:
    draw()
    pipe = pipe_of(engine)
    ours = embeds(pipe, prompt)
    theirs = CompelForSD(pipe)(prompt, negative_prompt="")
    assert ours["prompt_embeds"].shape == theirs.embeds.shape
    assert torch.allclose(ours["prompt_embeds"], theirs.embeds, atol=1e-5)
    assert torch.allclose(ours["negative_prompt_embeds"], theirs.negative_embeds, atol=1e-5)


@pytest.mark.parametrize(("schedule", "steps", "word"), [("cat:dog:3", 3, "cat"), ("cat:dog:3", 4, "dog")])
def test_of_a_schedule_the_words_of_the_last_step_are_drawn(draw: Draws, schedule: str, steps: int, word: str) -> None:
    drawn, pixels = draw(prompt=f"a [{schedule}] in a hat", negative_prompt=f"[{schedule}]", steps=steps)
    assert pixels == draw(prompt=f"a {word} in a hat", negative_prompt=word, steps=steps)[1]
    assert ["not reached" in note for note in drawn.notes] == [word == "cat"]


@pytest.mark.parametrize("family", FAMILIES)
def test_chunks_parts_and_blends(engine: Engine, draw: Draws, family: str) -> None:
    drawn, pixels = draw(family=family, prompt="a cat BREAK (hat)++", negative_prompt="fog")
    assert pixels != draw(family=family, prompt="a cat (hat)++", negative_prompt="fog")[1]
    assert drawn.notes == draw(family=family)[0].notes
    pipe = pipe_of(engine)

    def of(text: str) -> torch.Tensor:
        return embeds(pipe, text)["prompt_embeds"]

    cat, hat = of("a cat"), of("(hat)++")
    assert torch.allclose(of("a cat BREAK (hat)++"), torch.cat([cat, hat], dim=1), atol=1e-5)
    assert torch.allclose(of('("a cat", "(hat)++").blend(3, 1)'), 0.75 * cat + 0.25 * hat, atol=1e-5)
    mixed = of('("a cat", "x BREAK y").blend(1, 1)')
    assert mixed.shape[1] == 2 * cat.shape[1]
    if family == "sdxl":
        pooled = [embeds(pipe, text)["pooled_prompt_embeds"] for text in ("a cat", "hat")]
        ours = embeds(pipe, '("a cat", "(hat)++").blend(3, 1)')["pooled_prompt_embeds"]
        assert torch.allclose(ours, 0.75 * pooled[0] + 0.25 * pooled[1], atol=1e-5)
        ours = embeds(pipe, '("a cat", "(hat)++").and(1, 0.5)')["pooled_prompt_embeds"]
        assert torch.allclose(ours, embeds(pipe, "a cat, hat")["pooled_prompt_embeds"], atol=1e-5)


def test_what_has_no_equal_is_noted_once(draw: Draws) -> None:
    drawn, pixels = draw(prompt="cat AND dog", negative_prompt="a AND b")
    assert [note for note in drawn.notes if "AND" in note] == ["AND is not supported here and was read as a comma."]
    assert pixels == draw(prompt="cat, dog", negative_prompt="a, b")[1]


def test_what_only_other_programs_know_is_noted_once(draw: Draws) -> None:
    drawn, _ = draw(prompt="cat::2 dog, <random:a,b>", negative_prompt="fog::2")
    said = [foreign.SAID[mark] for mark in ("double_colon", "tag")]
    assert [note for note in drawn.notes if note in foreign.SAID.values()] == said


def test_a_weight_beyond_the_bounds_is_noted_once(draw: Draws) -> None:
    drawn, pixels = draw(prompt="(cat:9)", negative_prompt="(fog:-0.5), rain")
    said = "Weights go from 0 to 2; what was beyond was brought to the nearest of them."
    assert drawn.notes.count(said) == 1
    within, expected = draw(prompt="(cat:2)", negative_prompt="(fog:0), rain")
    assert (pixels, within.notes) == (expected, [note for note in drawn.notes if note != said])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_reroll_skips_the_text_encoders(engine: Engine, draw: Draws, family: str) -> None:
    asked: dict[str, Any] = {"family": family, "prompt": "(otter)++ in snow", "negative_prompt": "fog", "seed": 5}
    engine.release()
    first = draw(**asked)[1]
    runs: list[object] = []
    names = [name for name in ("text_encoder", "text_encoder_2") if hasattr(pipe_of(engine), name)]
    handles = [getattr(pipe_of(engine), name).register_forward_hook(lambda *_: runs.append(1)) for name in names]
    try:
        assert draw(**asked)[1] == first
        assert draw(**{**asked, "seed": 6})[1] != first
        assert draw(**asked)[1] == first
        assert runs == []
        draw(**{**asked, "prompt": "(otter)+ in snow"})
        assert runs, "another weight"
        runs.clear()
        draw(**{**asked, "guidance_scale": 1.0})
        assert runs, "without the negative prompt"
    finally:
        for handle in handles:
            handle.remove()
    engine.release()
    assert len(engine.residency.embeddings) == 0
    assert draw(**asked)[1] == first


def test_only_loras_in_the_text_encoder_count(engine: Engine, draw: Draws, tmp_path: Path) -> None:
    engine.release()
    plain = draw(prompt="otter")[1]
    pipe = pipe_of(engine)
    both = files.wanted(files.write(tmp_path / "both.safetensors", files.peft(files.pairs(pipe, text=True))))
    unet = files.wanted(files.write(tmp_path / "unet.safetensors", files.peft(files.pairs(pipe, text=False))))
    fresh = {}
    for name, lora in {"both": both, "half": {**both, "weight": 0.5}, "unet": unet}.items():
        engine.release()
        fresh[name] = draw(prompt="otter", loras=[lora])[1]
    engine.release()
    sizes = []
    for loras in ([], [unet], [both], [{**both, "weight": 0.5}], [{**both, "weight": 0.0}], [both]):
        draw(prompt="otter", loras=loras)
        sizes.append(len(engine.residency.embeddings))
    assert sizes == [1, 1, 2, 3, 3, 3]
    assert draw(prompt="otter", loras=[both])[1] == fresh["both"]
    assert draw(prompt="otter", loras=[{**both, "weight": 0.5}])[1] == fresh["half"]
    assert draw(prompt="otter", loras=[unet])[1] == fresh["unet"]
    assert draw(prompt="otter")[1] == plain


def test_the_cache_keeps_the_last_used_ones() -> None:
    cache = Embeddings(most=2)
    tensor = torch.randn(4, 3)[:1]
    for key in ("a", "b"):
        cache.put(key, {"x": tensor})
    found = cache.get("a", CPU)
    assert found is not None
    assert torch.equal(found["x"], tensor)
    found["x"].zero_()
    again = cache.get("a", CPU)
    assert again is not None
    assert torch.equal(again["x"], tensor), "what is handed out may be written into"
    cache.put("c", {"x": tensor})
    assert (cache.get("b", CPU), len(cache)) == (None, 2)
    assert ENTRIES_MAX == 8


ELSEWHERE = torch.device("meta")
"""Stands for the computer's memory, where weights lie; the processor stands for the card, where they compute."""


class Placed(torch.Tensor):
    """A tensor that remembers on which of the two it were, and meets none of the other one."""

    elsewhere = False

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.Tensor.to and isinstance(args[1], str | torch.device):
            made = super().__torch_function__(func, types, (args[0], CPU, *args[2:]), kwargs)
            made.elsewhere = torch.device(args[1]) == ELSEWHERE
            return made
        known = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Placed)]
        if func is torch.Tensor.to and isinstance(args[1], Placed):
            known = [args[1]]
        places = {one.elsewhere for one in known}
        assert len(places) <= 1, "Expected all tensors to be on the same device"
        made = super().__torch_function__(func, types, args, kwargs)
        for one in tree_leaves(made):
            if isinstance(one, Placed):
                one.elsewhere = True in places
        return made


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_that_lie_elsewhere_than_where_they_compute(
    engine: Engine, draw: Draws, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with layers that come to a card one by one: compel gives back what was made where the weights lie."""
    draw(family=family)
    pipe = pipe_of(engine)
    pairs = [("a red cat", "fog"), ("a BREAK b BREAK c", "x"), ("x", "a BREAK b"), *((one, "x") for one in COMPOUNDS)]
    expected = [embeds(pipe, *pair) for pair in pairs]
    for encoder in {type(getattr(pipe, name)) for name in ("text_encoder", "text_encoder_2") if hasattr(pipe, name)}:

        def compute(*values: Any, own: Any = encoder.forward, **named: Any) -> Any:
            return tree_map(lambda one: one.as_subclass(Placed), own(*values, **named))

        monkeypatch.setattr(encoder, "forward", compute)
        monkeypatch.setattr(encoder, "device", ELSEWHERE)
    for pair, before in zip(pairs, expected, strict=True):
        for name, tensor in embeds(pipe, *pair).items():
            assert isinstance(tensor, Placed)
            assert not tensor.elsewhere, name
            assert torch.equal(tensor.as_subclass(torch.Tensor), before[name])
