"""Models that predict the velocity and begin with nothing but noise (NoobAI and its relatives)."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import ldm
import pytest
import safetensors.torch
import torch
from engine_lab import Watcher

from otterbot_worker.errors import JobFailed
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.images.draw import guidance, passes
from otterbot_worker.images.engine import Engine
from otterbot_worker.images.load import loader
from otterbot_worker.images.load.loaded import Loaded
from otterbot_worker.images.memory.placing import RESIDENT
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.models.noise_schedule import RESCALE
from otterbot_worker.sampling import samplers

pytestmark = pytest.mark.filterwarnings("ignore")
ABLE = [name for name, sampler in samplers.SAMPLERS.items() if sampler.zero_snr]


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory, entries: dict[str, ModelEntry]) -> ModelEntry:
    root = tmp_path_factory.mktemp("noob")
    weights = {**ldm.make("sdxl", root), "v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
    file = root / "noob.safetensors"
    safetensors.torch.save_file(weights, file)
    return replace(entries["sdxl"], name="noob", folder=None, file=str(file), config=str(root / "config"))


@pytest.fixture(scope="module")
def loaded(entry: ModelEntry) -> Loaded:
    return loader.load(entry, torch.device("cpu"), RESIDENT, downloads=False, monitor=Watcher())


@pytest.fixture
def task_of(make_task: Callable[..., Draw], entry: ModelEntry) -> Callable[..., Draw]:
    def task_of(**changes: Any) -> Draw:
        return make_task(**{"entry": entry, **changes})

    return task_of


def test_the_table_says_what_the_classes_can() -> None:
    for name, sampler in samplers.SAMPLERS.items():
        taken = inspect.signature(getattr(diffusers, sampler.scheduler).__init__).parameters
        assert sampler.zero_snr == ({"rescale_betas_zero_snr", "timestep_spacing"} <= taken.keys()), name


@pytest.mark.parametrize("name", ABLE)
def test_a_schedule_begins_with_nothing_but_noise(
    name: str, loaded: Loaded, engine: Engine, task_of: Callable[..., Draw]
) -> None:
    """Euler a began with step 958 of 999 at 30 steps."""
    scheduler = passes.scheduler(task_of(sampler=name), loaded.base_scheduler, steps=30)
    scheduler.set_timesteps(30)
    assert int(scheduler.timesteps[0]) == 999
    assert float(scheduler.alphas_cumprod[-1]) < 1e-6
    task = task_of(sampler=name, steps=4)
    engine.draw(task, Watcher())
    assert len(set(Path(task.output).read_bytes())) > 20


def test_others_are_refused(loaded: Loaded, engine: Engine, task_of: Callable[..., Draw]) -> None:
    with pytest.raises(JobFailed, match="The sampler Heun cannot begin with nothing but noise"):
        engine.draw(task_of(sampler="Heun"), Watcher())


def test_a_folder_says_it_too(broken_copy: Callable[[str], tuple[Path, ModelEntry]]) -> None:
    folder, entry = broken_copy("sdxl")
    assert "Heun" in entry.samplers()
    settings = folder / "scheduler" / "scheduler_config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "rescale_betas_zero_snr": True}))
    assert entry.samplers() == tuple(ABLE)


def test_guidance_is_scaled_back_as_diffusers_does(loaded: Loaded, task_of: Callable[..., Draw]) -> None:
    def latents(share: float, **changes: Any) -> torch.Tensor:
        pipe = loaded.pipe
        pipe.scheduler = passes.scheduler(task_of(sampler="Euler a"), loaded.base_scheduler, steps=4)
        arguments = {
            "prompt": "an otter",
            "negative_prompt": "a cat",
            "height": 64,
            "width": 64,
            "output_type": "latent",
        }
        numbers = torch.Generator().manual_seed(3)
        with guidance.rescaled(pipe, share):
            found: torch.Tensor = pipe(
                **{**arguments, "guidance_scale": 7.0, "num_inference_steps": 4, "generator": numbers, **changes}
            ).images
        assert not pipe.unet._forward_hooks
        return found

    ours, theirs = latents(RESCALE), latents(0.0, guidance_rescale=RESCALE)
    assert torch.allclose(ours, theirs, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(ours, latents(0.0), atol=1e-2)
    assert torch.equal(latents(RESCALE, guidance_scale=1.0), latents(0.0, guidance_scale=1.0)), "nothing to scale"


@pytest.mark.parametrize(("model", "cfg", "share"), [("noob", 5.0, RESCALE), ("noob", 1.0, None), ("plain", 5.0, None)])
def test_what_was_scaled_back_is_told(
    engine: Engine,
    task_of: Callable[..., Draw],
    entries: dict[str, ModelEntry],
    model: str,
    cfg: float,
    share: float | None,
) -> None:
    other = {} if model == "noob" else {"entry": entries["sdxl"]}
    drawn = engine.draw(task_of(sampler="Euler a", guidance_scale=cfg, **other), Watcher())
    assert drawn.guidance_rescale == share


def test_an_entry_that_says_noise_has_the_last_word(entry: ModelEntry, tmp_path: Path) -> None:
    said = replace(entry, prediction="epsilon")
    found = loader.load(said, torch.device("cpu"), RESIDENT, downloads=False, monitor=Watcher()).base_scheduler
    assert (found["prediction_type"], found["rescale_betas_zero_snr"]) == ("epsilon", False)
    assert "Heun" in said.samplers()
