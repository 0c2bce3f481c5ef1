"""Textual inversions in the engine, on small real pipelines of both families."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lora_files as files
import pytest
import torch
from draw_tasks import draw_task
from engine_lab import FAMILIES, Draws, Silent, difference, drawer, pipe_of

from otterbot_worker.errors import Cancelled, JobFailed
from otterbot_worker.families.prompt import TOKENS_MAX, Prompt
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.images.draw.passes import scheduler
from otterbot_worker.images.engine import Engine
from otterbot_worker.images.load.textual_inversion import Tokenizer
from otterbot_worker.models.entries import ModelEntry

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def draw(engine: Engine, make_task: Callable[..., Draw], entries: dict[str, ModelEntry]) -> Draws:
    return drawer(engine, make_task, entries, steps=2)


def vectors(pipe: Any, count: int, seed: int = 5) -> dict[str, torch.Tensor]:
    """By text encoder, as large as its own."""
    numbers = torch.Generator().manual_seed(seed)
    made = {}
    for name in ("text_encoder", "text_encoder_2"):
        if getattr(pipe, name, None) is not None:
            weight = getattr(pipe, name).get_input_embeddings().weight
            made[name] = torch.randn(count, weight.shape[1], generator=numbers) * float(weight.detach().std()) * 3
    return made


def state_of(pipe: Any, count: int, key: str = "emb_params") -> dict[str, torch.Tensor]:
    made = vectors(pipe, count)
    if len(made) == 2:
        return {"clip_l": made["text_encoder"], "clip_g": made["text_encoder_2"]}
    return {key: made["text_encoder"]}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("count", [1, 3])
def test_a_word_becomes_its_vectors_and_a_word_again(
    draw: Draws, engine: Engine, tmp_path: Path, family: str, count: int
) -> None:
    prompt = "otter, furball, hat"
    plain = draw(family=family, prompt=prompt)[1]
    pipe = pipe_of(engine)
    before = files.base_bytes(pipe)
    furball = [files.embedding(files.write(tmp_path / "furball.safetensors", state_of(pipe, count)))]

    def with_it(prompt: str, **changes: Any) -> bytes:
        drawn, pixels = draw(family=family, prompt=prompt, embeddings=furball, **changes)
        assert (drawn.notes, drawn.unused_embeddings) == ([], [])
        return pixels

    meant = with_it(prompt)
    assert difference(meant, plain) > 0.5
    assert with_it("otter, Furball, hat") == with_it("otter, <furball>, hat") == meant
    assert with_it("otter, (furball:1.4), hat") not in (meant, plain)
    assert (
        with_it("otter, hat", negative_prompt="furball")
        != draw(family=family, prompt="otter, hat", negative_prompt="furball")[1]
    )
    assert with_it("otter, furballs, hat") == draw(family=family, prompt="otter, furballs, hat")[1]
    own_word: dict[str, Any] = {"family": family, "embeddings": [{**furball[0], "token": "<furball>"}]}
    assert draw(prompt="otter, <Furball>, hat", **own_word)[1] == meant
    assert draw(prompt=prompt, **own_word)[1] == plain, "a word in brackets is none without them"
    with pytest.raises(Cancelled):
        with_it(prompt, monitor=Silent(0))
    assert files.base_bytes(pipe) == before
    assert draw(family=family, prompt=prompt)[1] == plain


@pytest.mark.parametrize("count", [1, 2])
def test_it_draws_what_diffusers_draws(draw: Draws, engine: Engine, tmp_path: Path, count: int) -> None:
    draw()
    pipe = pipe_of(engine)
    path = files.write(tmp_path / "furball.safetensors", state_of(pipe, count, key="<anything>"))
    ours = draw(prompt="a furball in the forest", embeddings=[files.embedding(path)])[1]
    loaded = files.safetensors.torch.load_file(path)["<anything>"]
    tokenizer, encoder = pipe.tokenizer, pipe.text_encoder
    layer = encoder.get_input_embeddings()
    ids = tokenizer("a furball in the forest")["input_ids"]
    word = tokenizer("furball", add_special_tokens=False)["input_ids"]
    at = next(n for n in range(len(ids)) if ids[n : n + len(word)] == word)
    padded = [*ids[:at], *([0] * count), *ids[at + len(word) :]]
    padded += [tokenizer.pad_token_id] * (77 - len(padded))
    handle = layer.register_forward_hook(
        lambda _module, _arguments, output: torch.cat([output[:, :at], loaded[None], output[:, at + count :]], dim=1)
    )
    embeds = encoder(torch.tensor([padded]))[0]
    handle.remove()
    assert engine.residency.loaded is not None
    task = draw_task(**_fields(engine))
    pipe.scheduler = scheduler(task, engine.residency.loaded.base_scheduler)
    empty = encoder(torch.tensor([[*tokenizer("")["input_ids"], *[tokenizer.pad_token_id] * 75]]))[0]
    image = pipe(
        prompt_embeds=embeds, negative_prompt_embeds=empty, num_inference_steps=2, guidance_scale=5.0,
        width=64, height=64, generator=torch.Generator("cpu").manual_seed(7),
    ).images[0]  # fmt: skip
    assert difference(ours, image.tobytes()) < 0.02


def _fields(engine: Engine) -> dict[str, Any]:
    assert engine.residency.loaded is not None
    return {
        "task_id": "x", "entry": engine.residency.loaded.entry, "prompt": "", "negative_prompt": "", "steps": 2,
        "guidance_scale": 5.0, "width": 64, "height": 64, "sampler": "UniPC", "seed": 7, "output": "",
    }  # fmt: skip


def test_what_was_made_for_another_model_stays_a_word(draw: Draws, engine: Engine, tmp_path: Path) -> None:
    for family in FAMILIES:
        other = FAMILIES[1 - FAMILIES.index(family)]
        draw(family=other)
        path = files.write(tmp_path / family / "furball.safetensors", state_of(pipe_of(engine), 2))
        plain = draw(family=family, prompt="furball")[1]
        drawn, pixels = draw(family=family, prompt="furball", embeddings=[files.embedding(path)])
        assert pixels == plain
        assert drawn.unused_embeddings == ["furball"]
        assert drawn.notes == ["The embedding furball was made for another kind of model; it was read as a word."]


def test_a_broken_file_is_named(draw: Draws, engine: Engine, tmp_path: Path) -> None:
    plain = draw()[1]
    pipe = pipe_of(engine)
    before = files.base_bytes(pipe)
    good = state_of(pipe, 2)["emb_params"]
    for name, state in {"nan": torch.full_like(good, torch.inf), "long": good.repeat(50, 1)}.items():
        path = files.write(tmp_path / f"{name}.safetensors", {"emb_params": state})
        with pytest.raises(JobFailed, match=f"The embedding {name} cannot be used: "):
            draw(prompt=name, embeddings=[files.embedding(path)])
    path = files.write(tmp_path / "cut.safetensors", {"emb_params": good})
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(JobFailed, match="cut off"):
        draw(prompt="cut", embeddings=[files.embedding(path)])
    with pytest.raises(JobFailed) as failure:
        draw(prompt="cut", embeddings=[{**files.embedding(path), "path": str(tmp_path / "gone")}])
    assert failure.value.code == "embedding_missing"
    assert files.base_bytes(pipe) == before
    assert draw()[1] == plain


@pytest.mark.parametrize("family", FAMILIES)
def test_long_prompts_with_many_vectors_are_chunked_and_cut(
    draw: Draws, engine: Engine, tmp_path: Path, family: str
) -> None:
    draw(family=family)
    path = files.write(tmp_path / "ab.safetensors", state_of(pipe_of(engine), 20))
    prompt = "otter, ab, hat. " * 8
    drawn, pixels = draw(family=family, prompt=prompt, embeddings=[files.embedding(path)], steps=1)
    assert drawn.notes == []
    assert pixels != draw(family=family, prompt=prompt, steps=1)[1]
    tokenizer = Tokenizer(pipe_of(engine).tokenizer, {"ab": 75})
    cut = Prompt("ab " * 100, tokenizer, what="prompt")
    assert cut.notes == [f"The prompt was cut behind {TOKENS_MAX} tokens, of 7500."]
    ids = tokenizer([cut.pooled()[0][0]], add_special_tokens=False)["input_ids"][0]
    assert len(ids) <= TOKENS_MAX
    assert min(ids) == -75


def test_texts_without_such_words_are_tokenized_as_ever(draw: Draws, engine: Engine) -> None:
    draw()
    real = pipe_of(engine).tokenizer
    ours = Tokenizer(real, {"furball": 2})
    for text in ["", "otter", "a  cat's hat, C++ 日本語 💚", "x" * 500, "furballs un-furball", "\n"]:
        assert ours([text])["input_ids"] == real([text])["input_ids"]
        assert ours([text], truncation=True)["input_ids"] == real([text], truncation=True)["input_ids"]
    assert ours(["furball"], truncation=True)["input_ids"] == [[real.bos_token_id, -1, -2, real.eos_token_id]]
