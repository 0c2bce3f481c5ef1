# mypy: disallow-untyped-calls=False
"""One picture with a loaded pipeline: prompts, sampler, passes, pixels. Owns nothing that outlives the picture."""

from __future__ import annotations

import warnings
from typing import Any

import diffusers
import torch

from .. import samplers
from ..gpu.messages import Draw
from ..inputs import fit
from . import starting
from .cache import Embeddings
from .decoding import Pixels, decode
from .embeddings import Prompt
from .loading import Loaded
from .monitor import Monitor


def generate(
    loaded: Loaded, task: Draw, device: torch.device, monitor: Monitor, cache: Embeddings
) -> tuple[Pixels, list[str]]:
    """The picture's pixels and notes, with a loaded pipeline."""
    pipe = loaded.pipe
    pipe.scheduler = scheduler(task, loaded.base_scheduler)
    steps = fit.true_steps(task.steps, task.strength)
    monitor.progress("denoising", 0, steps)
    embeddings, notes = encode(loaded, task, device, cache)
    generator = torch.Generator("cpu").manual_seed(task.seed)
    drawing, more_arguments = pipe, {"width": task.width, "height": task.height}
    if task.init_image is not None:
        drawing, more_arguments = starting.begin(loaded, task, device, generator)
    latents = drawing(
        **embeddings,
        **more_arguments,
        num_inference_steps=task.steps,
        guidance_scale=task.guidance_scale,
        generator=generator,
        output_type="latent",
        callback_on_step_end=_on_step(monitor),
        callback_on_step_end_tensor_inputs=["latents"],
    ).images
    monitor.check()
    monitor.progress("decoding", steps, steps)
    pixels, more = decode(pipe, latents, task.seed)
    return pixels, notes + more


def encode(loaded: Loaded, task: Draw, device: torch.device, cache: Embeddings) -> tuple[dict[str, Any], list[str]]:
    """The prompts as keyword arguments of the pipeline, and notes. In here the task's LoRAs have to act."""
    guided = task.guidance_scale > 1.0
    with loaded.inversions.applied(loaded.pipe, task.embeddings) as encoders:
        prompt = Prompt(task.prompt, encoders.tokenizer, what="prompt")
        negative = Prompt(task.negative_prompt if guided else "", encoders.tokenizer, what="negative prompt")
        key = (
            loaded.model_hash,
            loaded.adapters.in_encoders(task.loras),
            tuple((str(entry["token"]), str(entry["hash"])) for entry in task.embeddings),
            tuple((one.blended, one.parts) for one in (prompt, negative)),
        )
        embeddings = cache.get(key, device)
        if embeddings is None:
            embeddings = loaded.family.encode(encoders, device, prompt, negative)
            cache.put(key, embeddings)
    notes = list(dict.fromkeys([*loaded.notes, *prompt.notes, *negative.notes]))
    if not guided and task.negative_prompt.strip():
        notes.append("The negative prompt has no effect at a CFG of 1 or less.")
    return embeddings, notes


def scheduler(task: Draw, base: dict[str, Any]) -> Any:
    """A fresh scheduler: they keep state, and their settings stick when one is made from another."""
    sampler = samplers.SAMPLERS[task.sampler]
    arguments = dict(sampler.arguments)
    if sampler.name == "LCM":  # refuses more steps than this
        arguments["original_inference_steps"] = max(50, task.steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about settings of the base that this class has no use for
        return getattr(diffusers, sampler.scheduler).from_config(base, **arguments)


def _on_step(monitor: Monitor) -> Any:
    def on_step(pipe: Any, index: int, _timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        monitor.check()
        total, done = pipe.num_timesteps, index + 1
        monitor.progress("denoising", min(done, total), total)
        return kwargs

    return on_step
