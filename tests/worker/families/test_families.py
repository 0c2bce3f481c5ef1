"""Every family on a small random pipeline: it draws what the bare pipeline draws, and says what it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import diffusers
import pytest
import torch
from draw_tasks import draw_task
from engine_lab import Watcher, loaded, same

from otterbot_worker.errors import Cancelled, JobFailed
from otterbot_worker.families import FAMILIES, Family, Prompt
from otterbot_worker.gpu.messages import Draw, Drawn
from otterbot_worker.images.draw import refiner_steps
from otterbot_worker.images.draw.passes import scheduler
from otterbot_worker.images.engine import Engine
from otterbot_worker.models.catalogue import Catalogue, load_catalogue
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.models.estimates import needs_of
from otterbot_worker.requests.resolve import resolve_image
from otterbot_worker.sampling import samplers
from otterbot_worker.schemas.requests import ImageRequest

Draws = Callable[..., tuple[Drawn, bytes]]
pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own, which the GPU process ignores as well
FLOWS = ["tiny-sd3", "tiny-sd3-without", "tiny-zimage", "tiny-klein"]


@pytest.fixture
def draw(engine: Engine, make_task: Callable[..., Draw], catalogue: Catalogue) -> Draws:
    def draw(one: str | ModelEntry, *, watcher: Watcher | None = None, **changes: Any) -> tuple[Drawn, bytes]:
        entry = catalogue.images[one] if isinstance(one, str) else one
        usual = {"sampler": entry.defaults.sampler, "guidance_scale": entry.defaults.guidance_scale}
        task = make_task(**{"entry": entry, **usual, **changes})
        drawn = engine.draw(task, watcher or Watcher())
        return drawn, task.output.read_bytes()

    return draw


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_what_a_family_names_is_there(family: Family) -> None:
    for name in (family.pipeline, family.from_picture, family.transformer):
        assert name is None or hasattr(diffusers, name)
    flow = "transformer" in family.modules
    assert (family.transformer is not None) == flow
    assert set(family.optional) <= set(family.modules)
    for name in family.samplers:
        sampler = samplers.SAMPLERS[name]
        assert hasattr(diffusers, sampler.scheduler)
        assert not flow or hasattr(diffusers, sampler.flow or "")
    assert family.preview is None or len(family.preview.factors) == 4


@pytest.mark.parametrize("bent", ["use_karras_sigmas", "use_exponential_sigmas"])
def test_a_samplers_name_says_how_its_noise_is_spaced(bent: str) -> None:
    """Whatever the model's own file says."""
    usual = {"_class_name": "EulerDiscreteScheduler", "num_train_timesteps": 1000, "beta_schedule": "scaled_linear"}
    for name, sampler in samplers.SAMPLERS.items():
        kind = getattr(diffusers, sampler.scheduler)
        ours, same = (kind.from_config(config, **sampler.arguments) for config in (usual, {**usual, bent: True}))
        for one in (ours, same):
            one.set_timesteps(8)
        assert ours.timesteps.tolist() == same.timesteps.tolist(), name
        assert ours.config.get("use_karras_sigmas", False) == ("Karras" in name)


HOLT = """
models:
  own:
    folder: tiny-zimage
    family: holt
    about: a test
    defaults: {steps: 3, guidance_scale: 4.0, width: 64, height: 64, sampler: Euler}
    limits: {size_min: 16, size_multiple: 16}
"""


def test_a_new_family_is_one_line_in_the_registry(
    draw: Draws, data_dir: Path, catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zimage, seen = FAMILIES["zimage"], []

    def encode(pipe: Any, device: Any, prompt: Prompt, negative: Prompt, **how: Any) -> dict[str, Any]:
        seen.append(prompt.text)
        return zimage.encode(pipe, device, prompt, negative, **how)

    monkeypatch.setitem(cast(dict[str, Family], FAMILIES), "holt", replace(zimage, title="Holt", encode=encode))
    entry = replace(catalogue.images["tiny-zimage"], name="tiny-holt", family="holt")
    assert needs_of(entry).computing.denoiser == "transformer"
    drawn, pixels = draw(entry, prompt="(otter)1.3")
    assert drawn.notes == ["Weights have no effect with tiny-holt; the words were read without them."]
    assert seen == ["otter"]
    assert pixels == draw("tiny-zimage", prompt="(otter)1.3")[1]

    models = tmp_path / "models.yaml"
    models.write_text(HOLT)
    own = load_catalogue(models, data_dir=data_dir).images["own"]
    assert own.abilities.title == "Holt"
    asked = ImageRequest(prompt="otter", seed=1, model="own")
    assert resolve_image(asked, Catalogue({"own": own}), "own").model == "own"


@pytest.mark.parametrize("model", FLOWS)
def test_one_seed_is_one_picture_and_the_bare_pipelines(draw: Draws, engine: Engine, model: str) -> None:
    words, negative = "an otter with a cowboy hat", "blurry" if model != "tiny-klein" else ""
    drawn, first = draw(model, prompt=words, negative_prompt=negative, width=64, height=96)
    assert drawn.notes == []
    assert (drawn.width, drawn.height) == (64, 96)
    assert len(set(first)) > 20, "a picture, not one colour"
    assert draw(model, prompt=words, negative_prompt=negative, width=64, height=96, seed=8)[1] != first
    assert draw(model, prompt="a castle", negative_prompt=negative, width=64, height=96)[1] != first
    assert draw(model, prompt=words, negative_prompt=negative, width=64, height=96)[1] == first

    one = loaded(engine)
    one.pipe.scheduler = diffusers.FlowMatchEulerDiscreteScheduler.from_config(one.base_scheduler)
    image = one.pipe(
        prompt=words,
        **({"negative_prompt": negative} if negative else {}),
        num_inference_steps=3,
        guidance_scale=4.0,
        width=64,
        height=96,
        generator=torch.Generator("cpu").manual_seed(7),
    ).images[0]
    assert same(first, image)


@pytest.mark.parametrize("model", ["tiny-sd3", "tiny-zimage", "tiny-klein"])
def test_its_samplers_run_and_forget_and_others_are_refused(draw: Draws, catalogue: Catalogue, model: str) -> None:
    pictures = []
    for sampler in catalogue.images[model].abilities.samplers:
        watcher = Watcher()
        pictures.append(draw(model, sampler=sampler, watcher=watcher)[1])
        done = [(step, total) for phase, step, total in watcher.phases if phase == "denoising"][-1]
        assert done[0] == done[1] >= 3, "progress ends at its own total"
        assert draw(model, sampler=sampler)[1] == pictures[-1]
    assert len(set(pictures)) == len(pictures)
    with pytest.raises(JobFailed, match="sampler DDIM does not fit"):
        draw(model, sampler="DDIM")


@pytest.mark.parametrize("model", ["tiny-sd3", "tiny-zimage", "tiny-klein"])
def test_what_it_ignores_is_said(draw: Draws, model: str) -> None:
    plain = draw(model, prompt="an otter, a hat")[1]
    drawn, weighed = draw(model, prompt="an (otter)1.4, ((a hat))")
    assert weighed == plain
    assert drawn.notes == [f"Weights have no effect with {model}; the words were read without them."]
    drawn, broken = draw(model, prompt="an otter, BREAK a hat")
    assert broken == plain
    assert drawn.notes == [f"BREAK has no effect with {model}; the words were read without it."]
    drawn, blended = draw(model, prompt='("an (otter:9)", "a BREAK hat").blend(3, 1)')
    assert blended == plain
    assert drawn.notes == [
        f"Weights, BREAK and .blend() have no effect with {model}; the words were read without them."
    ]
    assert draw(model, prompt="an otter, a hat BREAK")[0].notes == []
    guidance = 0.0 if model == "tiny-zimage" else 1.0
    plain = draw(model, prompt="an otter", guidance_scale=guidance)[1]
    drawn, negated = draw(model, prompt="an otter", negative_prompt="blurry", guidance_scale=guidance)
    assert negated == plain
    assert drawn.notes == [
        {
            "tiny-sd3": "The negative prompt has no effect at a CFG of 1 or less.",
            "tiny-zimage": "The negative prompt has no effect at a CFG of 0.",
            "tiny-klein": "tiny-klein takes no negative prompt; it was left out.",
        }[model]
    ]


@pytest.mark.parametrize(
    ("model", "most"), [("tiny-sd3", 255), ("tiny-sd3-without", 75), ("tiny-zimage", None), ("tiny-klein", None)]
)
def test_what_is_cut_off_is_said(draw: Draws, engine: Engine, model: str, most: int | None) -> None:
    draw(model)
    tokenizer, reads = FAMILIES[loaded(engine).entry.family].reads(loaded(engine).pipe)
    assert reads == most or (most is None and 400 < reads < 512)
    drawn, long = draw(model, prompt="zq" * 400, steps=1)
    assert drawn.notes == [f"The prompt was cut behind {reads} tokens, of 800."]
    fits = "zq" * (reads // 2 - 1)
    assert draw(model, prompt=fits, steps=1)[0].notes == []
    assert len(tokenizer("zq" * 400, add_special_tokens=False)["input_ids"]) == 800
    assert long != draw(model, prompt=fits[:-20], steps=1)[1], "what is said to be read is read"


@pytest.mark.parametrize("model", ["tiny-sd3", "tiny-zimage", "tiny-klein", "tiny-refined"])
@pytest.mark.parametrize(("phase", "after"), [("denoising", 1), ("denoising", 12), ("decoding", 2)])
def test_cancel_within_a_step_and_within_the_decode(draw: Draws, model: str, phase: str, after: int) -> None:
    before = draw(model)[1]
    watcher = Watcher(after, phase)
    with pytest.raises(Cancelled):
        draw(model, watcher=watcher, steps=40)
    assert watcher.looks == after + 1, "not one block more"
    assert draw(model)[1] == before


def test_a_missing_part_is_named(draw: Draws, catalogue: Catalogue, tmp_path: Path) -> None:
    fields = {**catalogue.images["tiny-zimage"].as_dict(), "name": "changed"}
    with pytest.raises(JobFailed, match="the family flux2 needs Flux2KleinPipeline"):
        draw("tiny-zimage", entry={**fields, "family": "flux2"})
    nowhere = {"hub": None, "file": str(tmp_path / "none.gguf")}
    with pytest.raises(JobFailed, match="its transformer is missing") as failed:
        draw("tiny-zimage", entry={**fields, "transformer": nowhere})
    assert failed.value.code == "model_missing"
    (tmp_path / "none.gguf").write_bytes(b"no weights")
    with pytest.raises(JobFailed, match=r"the file none\.gguf is no GGUF file") as failed:
        draw("tiny-zimage", entry={**fields, "transformer": nowhere})
    assert failed.value.code == "model_broken"


def test_a_transformer_of_its_own_file(draw: Draws, catalogue: Catalogue, tmp_path: Path) -> None:
    entry = catalogue.images["tiny-zimage"]
    before, picture = draw("tiny-zimage")
    own = Path(entry.folder or "") / "transformer" / "diffusion_pytorch_model.safetensors"
    copy = tmp_path / "own.safetensors"
    copy.write_bytes(own.read_bytes())
    fields = {**entry.as_dict(), "name": "own", "transformer": {"hub": None, "file": str(copy)}}
    drawn, same_picture = draw("tiny-zimage", entry=fields)
    assert same_picture == picture
    assert drawn.model_hash != before.model_hash, "the file is part of the hash"


# ---------------------------------------------------------------- the refiner


def test_base_and_refiner_are_the_bare_ensemble(draw: Draws, engine: Engine) -> None:
    watcher = Watcher()
    options: dict[str, Any] = {"prompt": "a red cat", "negative_prompt": "blurry", "sampler": "Euler", "steps": 10}
    drawn, ours = draw("tiny-refined", watcher=watcher, **options)
    steps = [(step, total) for phase, step, total in watcher.phases if phase == "denoising"]
    assert steps == [(step, 10) for step in range(11)], "one count over both"
    assert drawn.refiner is not None
    assert (drawn.refiner.name, drawn.refiner.hand_over) == ("tiny-refiner", 0.6)
    assert len(drawn.refiner.hash) == 16
    assert ours != draw("tiny-xl", **options)[1]
    assert ours == draw("tiny-refined", **options)[1]

    one = loaded(engine)
    second = diffusers.StableDiffusionXLImg2ImgPipeline.from_pretrained(
        Path(one.entry.refiner.folder) if one.entry.refiner and one.entry.refiner.folder else "",
        text_encoder_2=one.pipe.text_encoder_2,
        tokenizer_2=one.pipe.tokenizer_2,
        vae=one.pipe.vae,
        add_watermarker=False,
    )
    second.set_progress_bar_config(disable=True)
    generator = torch.Generator("cpu").manual_seed(7)
    words = {"prompt": "a red cat", "negative_prompt": "blurry"}
    both = {**words, "num_inference_steps": 10, "guidance_scale": 5.0, "generator": generator}
    task = draw_task(**{**_fields(one.entry), **options})
    one.pipe.scheduler = scheduler(task, one.base_scheduler)
    latents = one.pipe(**both, width=64, height=64, denoising_end=0.6, output_type="latent").images
    second.scheduler = scheduler(task, one.base_scheduler)
    image = second(**both, image=latents, denoising_start=0.6).images[0]
    assert same(draw("tiny-refined", guidance_scale=5.0, **options)[1], image)


def _fields(entry: ModelEntry) -> dict[str, Any]:
    return {
        "task_id": "bare",
        "entry": entry,
        "guidance_scale": 5.0,
        "width": 64,
        "height": 64,
        "seed": 7,
        "output": "",
    }


@pytest.mark.parametrize("sampler", samplers.names())
def test_every_sampler_hands_over(draw: Draws, sampler: str) -> None:
    watcher = Watcher()
    drawn, picture = draw("tiny-refined", sampler=sampler, steps=6, watcher=watcher)
    assert drawn.refiner is not None
    assert drawn.notes == []
    done = [(step, total) for phase, step, total in watcher.phases if phase == "denoising"][-1]
    assert done[0] == done[1] >= 6
    assert len(set(picture)) > 20


def test_too_few_steps_for_a_refiner_are_said(draw: Draws, engine: Engine) -> None:
    drawn, picture = draw("tiny-refined", steps=1)
    assert drawn.refiner is None
    assert drawn.notes == ["With so few steps none is left for the refiner; the picture was drawn without it."]
    assert picture == draw("tiny-xl", steps=1)[1]


def test_a_refiner_that_is_not_whole_is_named(
    draw: Draws, catalogue: Catalogue, data_dir: Path, tmp_path: Path
) -> None:
    entry = catalogue.images["tiny-refined"]
    assert entry.here() is not None

    def refined_by(folder: Path) -> dict[str, Any]:
        refiner = {"hub": None, "folder": str(folder), "variant": None, "hand_over": 0.8}
        return {**entry.as_dict(), "name": "broken", "refiner": refiner}

    assert ModelEntry.from_dict(refined_by(tmp_path)).here() is None
    with pytest.raises(JobFailed, match="refiner of broken is not on this machine") as failed:
        draw("tiny-refined", entry=refined_by(tmp_path))
    assert failed.value.code == "model_missing"
    with pytest.raises(JobFailed, match="refiner of broken is broken: it was made for another base"):
        draw("tiny-refined", entry=refined_by(data_dir / "models" / "tiny-sd"))
    unet = tmp_path / "unet"
    unet.mkdir()
    source = data_dir / "models" / "tiny-refiner" / "unet"
    (unet / "config.json").write_bytes((source / "config.json").read_bytes())
    weights = source / "diffusion_pytorch_model.safetensors"
    (unet / weights.name).write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(JobFailed, match=r"refiner of broken is broken: unet/.* is missing, cut off") as failed:
        draw("tiny-refined", entry=refined_by(tmp_path))
    assert failed.value.code == "model_broken"
    assert refiner_steps.REFINER_PART == "unet"
