"""Validation of a task before anything is loaded for it."""

from __future__ import annotations

from ..errors import JobFailed
from ..gpu.messages import Draw
from ..models.entries import ModelEntry
from ..sampling import samplers


def check_task(task: Draw, entry: ModelEntry) -> None:
    """Check all numbers of a task once more; the API already refuses these with better sentences. :raises JobFailed:"""
    multiple = entry.limits.size_multiple
    larger = [task.hires.width, task.hires.height, *task.hires.tile] if task.hires is not None else []
    larger += task.upscale.tile if task.upscale is not None else []
    for side in (*(task.canvas or (task.width, task.height)), *larger):
        if side < 16 or side > 4096 or side % multiple:
            raise JobFailed("image_failed", f"Width and height must be multiples of {multiple}, from 16 to 4096.")
    if not all(1 <= steps <= 200 for steps in (task.steps, task.hires.steps if task.hires is not None else 1)):
        raise JobFailed("image_failed", "The number of steps must be from 1 to 200.")
    if not 0.0 <= task.guidance_scale <= 30.0:  # false for NaN as well
        raise JobFailed("image_failed", "The CFG must be from 0 to 30.")
    if task.sampler not in samplers.SAMPLERS:
        raise JobFailed("image_failed", f"The sampler must be one of {', '.join(samplers.names())}.")
    if task.init_image is not None and not 0.0 < (task.strength or 0.0) <= 1.0:
        raise JobFailed("image_failed", "The strength must be above 0 and at most 1.")
    if task.hires is not None and not 0.0 < task.hires.strength <= 1.0:
        raise JobFailed("image_failed", "The strength of a second pass must be above 0 and at most 1.")
    if task.variation is not None and not 0.0 <= task.variation.strength <= 1.0:
        raise JobFailed("image_failed", "The strength of a variation must be from 0 to 1.")
    if task.control is not None and not 0.0 <= task.control.scale <= 2.0:
        raise JobFailed("image_failed", "The scale of a ControlNet must be from 0 to 2.")
    seeds = [task.seed] if task.variation is None else [task.seed, task.variation.seed]
    if not all(0 <= seed < 2**32 for seed in seeds):
        raise JobFailed("image_failed", "The seed must be from 0 to 4294967295.")
