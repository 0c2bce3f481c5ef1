# mypy: disallow-untyped-calls=False
"""Loads the refiner beside its base.

Only its U-Net is loaded. The VAE and the second text encoder are the base's: the encoder has already read the prompt,
and its part of the base's embeddings is what the refiner takes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, UNet2DConditionModel

from ...errors import Cancelled, JobFailed
from ...memory.device_info import Precision
from ...memory.placement import Plan
from ...models import download, files, part_settings
from ...models.entries import REFINER_PART, ModelEntry
from ...schemas.records import UsedRefiner
from ..memory import placing
from ..monitor import Monitor
from . import device as devices
from . import dtypes

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Refiner:
    """A loaded refiner. Lives as long as the base that it belongs to."""

    name: str
    hash: str
    hand_over: float
    pipe: Any
    travels: bool
    """Whether its U-Net is moved to the device for its steps and back; else it stays there, or its layers move one by
    one."""

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
) -> Refiner:
    """Load the entry's refiner. ``base``: the loaded base pipeline; the refiner is placed by the same plan.

    :raises JobFailed: ``model_missing``, ``model_broken`` :raises Cancelled:
    Out of memory and fatal device errors come as torch raises them.
    """
    assert entry.refiner is not None
    folder = _locate(entry, downloads=downloads, monitor=monitor)
    read = _read(entry, folder, precision)
    if read.stored < sum(parameter.numel() for parameter in read.unet.parameters()):
        raise _broken(entry, "weights are missing")
    if read.unet.config.cross_attention_dim != base.text_encoder_2.config.hidden_size:
        raise _broken(entry, "it was made for another base")
    monitor.check()
    pipe: Any = StableDiffusionXLImg2ImgPipeline(
        vae=base.vae,
        text_encoder=None,
        text_encoder_2=base.text_encoder_2,
        tokenizer=None,
        tokenizer_2=base.tokenizer_2,
        unet=read.unet,
        scheduler=base.scheduler,
        add_watermarker=False,
        **read.settings,
    )
    pipe.set_progress_bar_config(disable=True)
    placing.prepare(plan, pipe, precision)
    travels = placing.place_one(plan, read.unet, device)
    about = entry.refiner
    return Refiner(name=about.name, hash=read.hash, hand_over=about.hand_over, pipe=pipe, travels=travels)


@dataclass(frozen=True, kw_only=True)
class _Read:
    """What the refiner's files hold. ``stored``: numbers in its weights."""

    unet: Any
    settings: dict[str, bool]
    stored: int
    hash: str


def _read(entry: ModelEntry, folder: Path, precision: Precision) -> _Read:
    assert entry.refiner is not None
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
        return _Read(unet=unet, settings=settings, stored=stored, hash=files.files_hash(folder, paths))
    except (Cancelled, JobFailed):
        raise
    except files.BrokenFile as error:
        raise _broken(entry, str(error)) from None
    except Exception as error:
        if devices.is_out_of_memory(error) or devices.is_fatal(error):
            raise
        log.warning("loading the refiner of %s failed: %s", entry.name, type(error).__name__)
        raise _broken(entry, "its files do not fit together") from None


def placed(refiner: Refiner, plan: Plan, device: torch.device) -> Refiner:
    """The refiner, moved to where ``plan`` says."""
    return replace(refiner, travels=placing.place_one(plan, refiner.pipe.unet, device))


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
    """Pipeline settings from the refiner's index, by default the published refiner's."""
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
