"""The engine in this process, on small real pipelines of both families."""

from __future__ import annotations

import gc
import hashlib
import json
import math
import struct
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine_lab import Watcher

from otterbot_worker.errors import Cancelled, JobFailed
from otterbot_worker.gpu.messages import Draw, Drawn
from otterbot_worker.images.draw import decoding, passes
from otterbot_worker.images.engine import Engine
from otterbot_worker.images.load import device as devices
from otterbot_worker.images.load.loader import load
from otterbot_worker.memory.placement import RESIDENT
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.prompts import clean_text
from otterbot_worker.sampling import samplers

Draws = Callable[..., tuple[Drawn, bytes]]
pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own, which the GPU process ignores as well


@pytest.fixture
def draw(engine: Engine, make_task: Callable[..., Draw], entries: dict[str, ModelEntry]) -> Draws:
    def draw(*, family: str = "sdxl", watcher: Watcher | None = None, **changes: Any) -> tuple[Drawn, bytes]:
        task = make_task(**{"entry": entries[family], **changes})
        drawn = engine.draw(task, watcher or Watcher())
        return drawn, task.output.read_bytes()

    return draw


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_one_seed_is_one_picture(draw: Draws, family: str) -> None:
    drawn, first = draw(family=family, width=64, height=96)
    assert (drawn.width, drawn.height, len(first)) == (64, 96, 64 * 96 * 3)
    assert len(set(first)) > 20, "a picture, not one colour"
    assert draw(family=family, width=64, height=96)[1] == first
    assert draw(family=family, width=64, height=96, seed=8)[1] != first


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_every_setting_acts(draw: Draws, family: str) -> None:
    pictures = [
        draw(family=family, **changes)[1]
        for changes in (
            {},
            {"prompt": "a castle"},
            {"prompt": "otter, (cowboy hat)++"},
            {"prompt": "otter, (cowboy hat)0.4"},
            {"negative_prompt": "blurry"},
            {"steps": 4},
            {"guidance_scale": 9.0},
            {"sampler": "Euler a"},
        )
    ]
    assert len({hashlib.sha256(picture).digest() for picture in pictures}) == len(pictures)


@pytest.mark.parametrize("family", ["sd", "sdxl"])
@pytest.mark.parametrize("sampler", samplers.names())
def test_every_sampler_runs_and_forgets(draw: Draws, family: str, sampler: str) -> None:
    for steps in (1, 2, 5):
        watcher = Watcher()
        first = draw(family=family, sampler=sampler, steps=steps, watcher=watcher)[1]
        done = [(step, total) for phase, step, total in watcher.phases if phase == "denoising"][-1]
        assert done[0] == done[1] >= steps, "progress ends at its own total"
        assert steps != 2 or draw(family=family, sampler=sampler, steps=steps)[1] == first


@pytest.mark.parametrize("sampler", ["LCM", "TCD"])
def test_distilled_samplers_take_more_steps_than_they_were_made_for(draw: Draws, sampler: str) -> None:
    watcher = Watcher()
    draw(family="sd", sampler=sampler, steps=60, watcher=watcher)
    assert [step for phase, step, _ in watcher.phases if phase == "denoising"][-1] == 60


def test_the_pixels_are_those_of_the_bare_pipeline(
    draw: Draws, entries: dict[str, ModelEntry], make_task: Callable[..., Draw]
) -> None:
    for family in ("sd", "sdxl"):
        ours = draw(family=family, prompt="a red cat", negative_prompt="blurry", sampler="UniPC", steps=4)[1]
        loaded = load(entries[family], torch.device("cpu"), RESIDENT, downloads=False, monitor=Watcher())
        task = make_task(sampler="UniPC")
        loaded.pipe.scheduler = passes.scheduler(task, loaded.base_scheduler)
        image = loaded.pipe(
            "a red cat",
            negative_prompt="blurry",
            num_inference_steps=4,
            guidance_scale=5.0,
            width=64,
            height=64,
            generator=torch.Generator("cpu").manual_seed(7),
        ).images[0]
        theirs = np.frombuffer(image.tobytes(), np.uint8)
        assert (np.frombuffer(ours, np.uint8) == theirs).all()


def test_the_pooled_embedding_is_made_from_the_clean_text(entries: dict[str, ModelEntry]) -> None:
    from otterbot_worker.families.clip import for_sdxl
    from otterbot_worker.families.prompt import Prompt

    pipe = load(entries["sdxl"], torch.device("cpu"), RESIDENT, downloads=False, monitor=Watcher()).pipe
    prompt = "a (blue cat)1.4 (in)++ [the] forest"
    ours = for_sdxl(
        pipe, torch.device("cpu"), Prompt(prompt, pipe.tokenizer, what="p"), Prompt("", pipe.tokenizer, what="n")
    )
    assert clean_text(prompt) == "a blue cat in the forest"
    expected = pipe.encode_prompt("a blue cat in the forest", device="cpu")[2]
    assert torch.allclose(ours["pooled_prompt_embeds"], expected, atol=1e-5)


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_long_and_strange_prompts(draw: Draws, family: str) -> None:
    long = "a red cat, " * 360
    pictures = {
        draw(family=family, steps=1, prompt=prompt)[1]
        for prompt in (long, long + "(castle)++", "(" * 300 + "cat" + ")" * 300, "💚 日本語", "\ud83d\x00", "()", " ")
    }
    assert len(pictures) >= 6, "nothing is cut off behind 77 tokens"
    drawn, _ = draw(family=family, steps=1, prompt="(a)0.5 b " * 400)
    assert any("weights below 1" in note for note in drawn.notes)
    drawn, _ = draw(family=family, steps=1, prompt="💚" * 2000 + "(otter)++", negative_prompt="💚" * 100)
    assert drawn.notes == ["The prompt was cut behind 1500 tokens, of 8001."]


def test_a_negative_prompt_without_guidance_is_named(draw: Draws) -> None:
    drawn, plain = draw(guidance_scale=0.0)
    assert drawn.notes == []
    drawn, with_negative = draw(guidance_scale=0.0, negative_prompt="blurry")
    assert any("negative prompt has no effect" in note for note in drawn.notes)
    assert plain == with_negative


@pytest.mark.parametrize(("phase", "after"), [("denoising", 1), ("denoising", 40), ("decoding", 2)])
def test_cancel_within_a_step_and_within_the_decode(draw: Draws, phase: str, after: int) -> None:
    before = draw()[1]
    watcher = Watcher(after, phase)
    with pytest.raises(Cancelled):
        draw(watcher=watcher, steps=50)
    assert watcher.looks == after + 1, "not one block more"
    assert draw()[1] == before


def test_a_cancel_holds_on_to_nothing(engine: Engine, draw: Draws) -> None:
    kept: list[weakref.ref[torch.Tensor]] = []
    watcher = Watcher(30)

    def hook(_module: Any, arguments: Any) -> None:
        kept.append(weakref.ref(arguments[0]))

    draw()
    assert engine.residency.loaded is not None
    handle = engine.residency.loaded.pipe.unet.register_forward_pre_hook(hook)
    try:
        with pytest.raises(Cancelled):
            draw(watcher=watcher, steps=50)
    finally:
        handle.remove()
    gc.collect()
    assert kept
    assert all(reference() is None for reference in kept)


def test_a_fatal_device_error_is_not_taken_for_a_failed_picture(draw: Draws) -> None:
    with pytest.raises(devices.DeviceLost):
        draw(watcher=Watcher(3, error=RuntimeError("CUDA error: an illegal memory access was encountered")))
    with pytest.raises(JobFailed) as failed:
        draw(watcher=Watcher(3, error=ValueError("quotes your prompt: otter")))
    assert failed.value.code == "image_failed"
    assert "otter" not in failed.value.message


class Faulty:
    """Makes what a module gives not a number, or nothing at all, as long as ``when`` says so; counts its calls."""

    def __init__(self, module: Any, value: float, when: Callable[[torch.Tensor], bool]) -> None:
        self.calls: list[torch.dtype] = []
        self._value, self._when = value, when
        self.handle = module.register_forward_hook(self._hook)

    def _hook(self, _module: Any, _arguments: Any, output: torch.Tensor) -> torch.Tensor:
        self.calls.append(output.dtype)
        return torch.full_like(output, self._value) if self._when(output) else output


HALF = (torch.float16, torch.bfloat16)


@pytest.mark.parametrize(
    ("family", "half", "value"),
    [
        ("sd", torch.float16, math.nan),
        ("sdxl", torch.float16, -1.0),
        ("sd", torch.bfloat16, math.inf),
    ],
)
def test_a_decoder_that_fails_in_half_precision_runs_once_more(
    engine: Engine, draw: Draws, family: str, half: torch.dtype, value: float
) -> None:
    plain = np.frombuffer(draw(family=family)[1], np.uint8)
    assert engine.residency.loaded is not None
    vae = engine.residency.loaded.pipe.vae.to(half)
    vae.register_to_config(force_upcast=family == "sd")  # which is not asked there
    faulty = Faulty(vae.decoder.conv_out, value, lambda output: output.dtype in HALF)
    try:
        drawn, pixels = draw(family=family)
        assert faulty.calls == [half, torch.float32]
        assert drawn.notes == [decoding.RETRIED]
        assert np.abs(np.frombuffer(pixels, np.uint8).astype(int) - plain).max() <= 24, "weights in half precision"
        assert vae.dtype == half
        faulty.calls.clear()
        faulty._when = lambda _: True
        with pytest.raises(JobFailed) as failed:
            draw(family=family)
        assert (failed.value.code, faulty.calls) == ("nan", [half, torch.float32])
        assert "in full precision as well. Another seed" in failed.value.message
        assert vae.dtype == half
    finally:
        faulty.handle.remove()
        engine.release()


def test_what_is_in_full_precision_is_not_computed_again(engine: Engine, draw: Draws) -> None:
    plain = draw()[1]
    assert engine.residency.loaded is not None
    vae = engine.residency.loaded.pipe.vae
    for half in (False, True):  # stock SDXL's decoder asks for full precision by itself
        if half:
            vae.to(torch.float16).register_to_config(force_upcast=True)
        faulty = Faulty(vae.decoder.conv_out, math.nan, lambda _: True)
        with pytest.raises(JobFailed) as failed:
            draw()
        assert (failed.value.code, faulty.calls) == ("nan", [torch.float32])
        assert "as well" not in failed.value.message
        faulty.handle.remove()
    engine.release()
    assert draw()[1] == plain


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_latents_that_are_no_numbers_are_not_decoded(engine: Engine, draw: Draws, value: float) -> None:
    plain = draw()[1]
    assert engine.residency.loaded is not None
    pipe = engine.residency.loaded.pipe
    faulty = Faulty(pipe.unet.conv_out, value, lambda _: True)
    decoded = Faulty(pipe.vae.decoder.conv_out, 0.0, lambda _: False)
    with pytest.raises(JobFailed) as failed:
        draw()
    for one in (faulty, decoded):
        one.handle.remove()
    assert (failed.value.code, decoded.calls) == ("nan", [])
    assert "Another sampler, size or CFG may help" in failed.value.message
    assert draw()[1] == plain, "the next picture is as it was"


def test_release_lets_go_of_the_weights(engine: Engine, draw: Draws) -> None:
    draw()
    assert engine.residency.loaded is not None
    weights = weakref.ref(engine.residency.loaded.pipe.unet)
    assert draw()[0].resident == "tiny-xl"
    engine.release()
    assert engine.resident is None
    assert weights() is None


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 0},
        {"height": 65},
        {"width": 8192},
        {"steps": 0},
        {"steps": 10**9},
        {"guidance_scale": math.nan},
        {"guidance_scale": -1.0},
        {"sampler": "nonsense"},
        {"seed": 2**64},
        {"seed": -1},
    ],
)
def test_impossible_tasks_are_refused_with_a_sentence(draw: Draws, changes: dict[str, Any]) -> None:
    with pytest.raises(JobFailed) as failed:
        draw(**changes)
    assert failed.value.code == "image_failed"
    assert failed.value.message.endswith(".")


def _call_it(kind: str, folder: Path) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": kind}))


def _truncate(folder: Path) -> None:
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def _half(folder: Path) -> None:
    """A whole safetensors file, with tensors missing."""
    from safetensors.torch import load_file, save_file

    for component, name in (("text_encoder", "model"),):
        path = folder / component / f"{name}.safetensors"
        tensors = load_file(path)
        save_file(dict(list(tensors.items())[: len(tensors) // 2]), path, metadata={"format": "pt"})


def _half_unet(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    save_file(dict(list(tensors.items())[: len(tensors) // 2]), path, metadata={"format": "pt"})


BREAKS: list[tuple[Callable[[Path], Any], str, str]] = [
    (_truncate, "model_broken", "unet/diffusion_pytorch_model.safetensors"),
    (_half, "model_broken", "weights of text_encoder"),
    (_half_unet, "model_broken", "unet"),
    (lambda f: (f / "vae" / "diffusion_pytorch_model.safetensors").write_text("hello"), "model_broken", "vae/"),
    (lambda f: (f / "vae" / "diffusion_pytorch_model.safetensors").unlink(), "model_broken", "vae/"),
    (lambda f: (f / "model_index.json").write_text("{"), "model_broken", "model_index.json"),
    (lambda f: (f / "model_index.json").write_text("[" * 100_000), "model_broken", "model_index.json"),
    (lambda f: (f / "model_index.json").unlink(), "model_missing", "model_index.json"),
    (lambda f: (f / "unet" / "config.json").unlink(), "model_broken", "unet/config.json"),
    (lambda f: (f / "unet" / "config.json").write_text("[]"), "model_broken", "by its unet/config.json"),
    (lambda f: (f / "tokenizer" / "tokenizer.json").write_text("x"), "model_broken", "fit together"),
    (lambda f: _call_it("StableDiffusionPipeline", f), "model_broken", "it is StableDiffusionPipeline, where"),
    (lambda f: _call_it("rm -rf\n", f), "model_broken", "an unknown kind of pipeline"),
    (
        lambda f: (f / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(struct.pack("<Q", 2**60) + b"x" * 99),
        "model_broken",
        "vae/",
    ),
    (
        lambda f: (f / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(
            struct.pack("<Q", 99_999) + b"[" * 99_999
        ),
        "model_broken",
        "vae/",
    ),
]


@pytest.mark.parametrize(("break_it", "code", "said"), BREAKS)
def test_a_broken_model_gives_one_clear_sentence(
    draw: Draws,
    broken_copy: Callable[[str], tuple[Path, ModelEntry]],
    break_it: Callable[[Path], Any],
    code: str,
    said: str,
) -> None:
    folder, entry = broken_copy("sdxl")
    break_it(folder)
    with pytest.raises(JobFailed) as failed:
        draw(entry=entry)
    assert (failed.value.code, said in failed.value.message) == (code, True), failed.value.message
    assert "copy" in failed.value.message
    assert str(folder) not in failed.value.message
    assert draw()[1], "the next picture is drawn"


def test_a_model_that_may_not_be_fetched(draw: Draws, entries: dict[str, ModelEntry]) -> None:
    hub = {**entries["sd"].as_dict(), "hub": "nobody/nothing", "folder": None}
    with pytest.raises(JobFailed) as failed:
        draw(entry=hub)
    assert failed.value.code == "model_missing"
    assert "downloads are not allowed" in failed.value.message


def test_the_wrong_family_is_refused(draw: Draws, entries: dict[str, ModelEntry]) -> None:
    with pytest.raises(JobFailed) as failed:
        draw(entry={**entries["sd"].as_dict(), "family": "sdxl"})
    assert failed.value.code == "model_broken"
    assert "StableDiffusionXLPipeline" in failed.value.message


def test_devices() -> None:
    assert devices.pick("cpu").type == "cpu"
    for unknown in ("cuda:99", "mps"):
        with pytest.raises(devices.NoDevice):
            devices.pick(unknown)
    measured = devices.memory(torch.device("cpu"))
    assert measured.total_bytes
    assert measured.free_bytes
    assert devices.name(torch.device("cpu"))
