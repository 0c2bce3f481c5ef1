# mypy: disallow-untyped-calls=False
"""The refiner's steps: a second model draws the last ones, as an ensemble of experts. ``load.refiner`` loads it."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from ...gpu.messages import Draw
from ...models.entries import REFINER_PART
from ...sampling import sampling_steps
from ..load.loaded import Loaded
from ..memory import placing
from .passes import Drawing, scheduler
from .step_hooks import watching


def split(loaded: Loaded, task: Draw) -> tuple[int, int]:
    """The numbers of steps of base and refiner; none for the refiner where the base would have none left.

    The hand-over is a noise level, not a share of the steps: the sampler's timesteps decide.
    """
    true = sampling_steps.true_steps(task.steps, task.strength)
    if loaded.refiner is None:
        return true, 0
    sampler = scheduler(task, loaded.base_scheduler)
    sampler.set_timesteps(task.steps)
    range_ = sampler.config.num_train_timesteps
    cut = round(range_ - loaded.refiner.hand_over * range_)
    first, *rest = sampler.timesteps.tolist()
    moments = [first, *rest[:: sampler.order]][-true:]
    before = sum(moment >= cut for moment in moments)
    return (before, true - before) if 0 < before < true else (true, 0)


def refine(drawing: Drawing, latents: torch.Tensor | None, *, expected: int) -> torch.Tensor:
    """Run the last steps, from the base's latents to the refiner's. :raises Cancelled: within a step, too"""
    refiner, task = drawing.loaded.refiner, drawing.task
    assert refiner is not None
    assert latents is not None
    unet = refiner.pipe.unet
    width = unet.config.cross_attention_dim
    embeddings = {
        name: tensor if "pooled" in name else tensor[..., -width:] for name, tensor in drawing.embeddings.items()
    }
    try:
        if refiner.travels:
            placing.settle(drawing.loaded.plan, drawing.loaded.pipe)
            unet.to(drawing.device)
        with watching(SimpleNamespace(components={REFINER_PART: unet}), drawing.monitor.check):
            return drawing.denoise(
                refiner.pipe,
                steps=task.steps,
                expected=expected,
                image=latents,
                denoising_start=refiner.hand_over,
                **embeddings,
            )
    finally:
        if refiner.travels:
            unet.to("cpu")
