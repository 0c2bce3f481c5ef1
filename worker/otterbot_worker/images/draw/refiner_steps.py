# mypy: disallow-untyped-calls=False
"""The refiner: a second model that draws the last steps, as an ensemble of experts.

It is one U-Net more. Its other parts are the base's: the decoder, and the second text encoder, which has read the
prompt already, so that its part of the base's embeddings is all that the refiner needs to know.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, UNet2DConditionModel

from ...errors import Cancelled, JobFailed
from ...gpu.messages import Draw
from ...memory.device_info import Precision
from ...memory.placement import Plan
from ...models import files, part_settings
from ...models.entries import REFINER_PART, ModelEntry
from ...sampling import sampling_steps
from ...schemas.records import UsedRefiner
from ..load import device as devices
from ..load import download, dtypes
from ..memory import placing
from .monitor import Monitor
from .passes import Drawing, scheduler
from .step_hooks import watching

if TYPE_CHECKING:
    from ..load.loader import Loaded

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Refining:
    """A loaded refiner. Lives as long as the base that it belongs to."""

    name: str
    hash: str
    hand_over: float
    pipe: Any
    travels: bool
    """Whether its U-Net comes to the device for its steps and leaves again; else it is there, or its layers come."""

    def record(self) -> UsedRefiner:
        return UsedRefiner(name=self.name, hash=self.hash, hand_over=self.hand_over)


def load(
    entry: ModelEntry,
    base: Any,
    plan: Plan,
    device: torch.device,
    precision: Precision,
    *,
    downloads: bool,
    monitor: Monitor,
) -> Refining:
    """The entry's refiner beside its base, which lies in memory already as the plan says; this one does as the base.

    :raises JobFailed: ``model_missing``, ``model_broken`` :raises Cancelled:
    Out of memory and fatal device errors come as torch raises them.
    """
    assert entry.refiner is not None
    folder = _locate(entry, downloads=downloads, monitor=monitor)
    variant = entry.refiner.variant if files.has_variant(folder, entry.refiner.variant) else None
    try:
        paths = files.component_files(folder, REFINER_PART, variant)
        stored = sum(files.count(folder, path) for path in paths)
        if (name := part_settings.unbuildable(folder, f"{REFINER_PART}/config.json")) is not None:
            raise _broken(entry, f"nothing can be built by its {name}")
        settings = _settings(folder)
        unet = UNet2DConditionModel.from_pretrained(
            folder / REFINER_PART,
            dtype=dtypes.dtype(precision.storage),
            variant=variant,
            use_safetensors=True,
            local_files_only=True,
        )
        found = files.files_hash(folder, paths)
    except (Cancelled, JobFailed):
        raise
    except files.BrokenFile as error:
        raise _broken(entry, str(error)) from None
    except Exception as error:
        if devices.is_out_of_memory(error) or devices.is_fatal(error):
            raise
        log.warning("loading the refiner of %s failed: %s", entry.name, type(error).__name__)
        raise _broken(entry, "its files do not fit together") from None
    if stored < sum(parameter.numel() for parameter in unet.parameters()):
        raise _broken(entry, "weights are missing")
    if unet.config.cross_attention_dim != base.text_encoder_2.config.hidden_size:
        raise _broken(entry, "it was made for another base")
    monitor.check()
    pipe: Any = StableDiffusionXLImg2ImgPipeline(
        vae=base.vae,
        text_encoder=None,
        text_encoder_2=base.text_encoder_2,
        tokenizer=None,
        tokenizer_2=base.tokenizer_2,
        unet=unet,
        scheduler=base.scheduler,
        add_watermarker=False,
        **settings,
    )
    pipe.set_progress_bar_config(disable=True)
    placing.prepare(plan, pipe, precision)
    travels = placing.place_one(plan, unet, device)
    return Refining(name=entry.refiner.name, hash=found, hand_over=entry.refiner.hand_over, pipe=pipe, travels=travels)


def placed(refining: Refining, plan: Plan, device: torch.device) -> Refining:
    """The same one, laid as that plan says."""
    return replace(refining, travels=placing.place_one(plan, refining.pipe.unet, device))


def split(loaded: Loaded, task: Draw) -> tuple[int, int]:
    """How many steps base and refiner draw; the refiner none where that would leave the base without one.

    The hand-over is a moment of the noise, not a number of steps: which steps lie before it, the sampler knows.
    """
    true = sampling_steps.true_steps(task.steps, task.strength)
    if loaded.refining is None:
        return true, 0
    sampler = scheduler(task, loaded.base_scheduler)
    sampler.set_timesteps(task.steps)
    range_ = sampler.config.num_train_timesteps
    cut = round(range_ - loaded.refining.hand_over * range_)
    first, *rest = sampler.timesteps.tolist()
    moments = [first, *rest[:: sampler.order]][-true:]
    before = sum(moment >= cut for moment in moments)
    return (before, true - before) if 0 < before < true else (true, 0)


def refine(drawing: Drawing, latents: torch.Tensor | None, *, expected: int) -> torch.Tensor:
    """The last steps; from the base's latents to its own. :raises Cancelled: within a step, too"""
    refining, task = drawing.loaded.refining, drawing.task
    assert refining is not None
    assert latents is not None
    unet = refining.pipe.unet
    width = unet.config.cross_attention_dim
    embeddings = {
        name: tensor if "pooled" in name else tensor[..., -width:] for name, tensor in drawing.embeddings.items()
    }
    try:
        if refining.travels:
            placing.settle(drawing.loaded.plan, drawing.loaded.pipe)
            unet.to(drawing.device)
        with watching(SimpleNamespace(components={REFINER_PART: unet}), drawing.monitor.check):
            return drawing.denoise(
                refining.pipe,
                steps=task.steps,
                expected=expected,
                image=latents,
                denoising_start=refining.hand_over,
                **embeddings,
            )
    finally:
        if refining.travels:
            unet.to("cpu")


def _locate(entry: ModelEntry, *, downloads: bool, monitor: Monitor) -> Path:
    """:raises JobFailed: ``model_missing``"""
    assert entry.refiner is not None
    refiner = entry.refiner
    here = refiner.here()
    if here is not None:
        return here
    try:
        if refiner.hub is not None and downloads:
            return download.fetch(refiner.hub, variant=refiner.variant, only=REFINER_PART, monitor=monitor)
    except download.DownloadFailed as error:
        sentence = f"The refiner of {entry.name} could not be downloaded: {error}."
        raise JobFailed("model_missing", sentence, {"hub": refiner.hub}) from None
    raise JobFailed("model_missing", f"The refiner of {entry.name} is not on this machine.")


def _settings(folder: Path) -> dict[str, bool]:
    """What the refiner's index says of its pipeline. Where there is none, what the published one says."""
    try:
        index = files.read_index(folder)
    except (FileNotFoundError, files.BrokenFile):
        index = {}
    return {
        "requires_aesthetics_score": bool(index.get("requires_aesthetics_score", True)),
        "force_zeros_for_empty_prompt": bool(index.get("force_zeros_for_empty_prompt", False)),
    }


def _broken(entry: ModelEntry, why: str) -> JobFailed:
    return JobFailed("model_broken", f"The refiner of {entry.name} is broken: {why}.")
