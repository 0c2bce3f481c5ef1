# mypy: disallow-untyped-calls=False
"""One picture with a loaded pipeline: prompts, passes, pixels. Owns nothing that outlives the picture.

The passes, in order, each one from the latents of the one before::

    base (from noise, or from a picture) → decode
"""

from __future__ import annotations

from typing import Any

import torch

from ..gpu.messages import Draw
from ..inputs import fit
from . import starting
from .cache import Embeddings
from .decoding import Pixels, decode
from .embeddings import Prompt
from .loading import Loaded
from .monitor import Monitor
from .passes import Drawing, Pass, Steps


def generate(
    loaded: Loaded, task: Draw, device: torch.device, monitor: Monitor, cache: Embeddings
) -> tuple[Pixels, list[str]]:
    """The picture's pixels and notes, with a loaded pipeline."""
    sequence = passes(task)
    steps = Steps(monitor, sequence)
    embeddings, notes = encode(loaded, task, device, cache)
    drawing = Drawing(
        loaded=loaded,
        task=task,
        device=device,
        monitor=monitor,
        embeddings=embeddings,
        generator=torch.Generator("cpu").manual_seed(task.seed),
        steps=steps,
    )
    latents: torch.Tensor | None = None
    for one in sequence:
        latents = one.run(drawing, latents)
    assert latents is not None
    monitor.progress("decoding", steps.done, steps.done)
    pixels, more = decode(loaded.pipe, latents, task.seed)
    return pixels, notes + more


def passes(task: Draw) -> list[Pass]:
    """What the task takes, in order; the first is the base."""
    return [Pass(steps=fit.true_steps(task.steps, task.strength), run=_base)]


def _base(drawing: Drawing, _none: torch.Tensor | None) -> torch.Tensor:
    task = drawing.task
    pipe, arguments = drawing.loaded.pipe, {"width": task.width, "height": task.height}
    if task.init_image is not None:
        pipe, arguments = starting.begin(drawing.loaded, task, drawing.device, drawing.generator)
    expected = fit.true_steps(task.steps, task.strength)
    return drawing.denoise(pipe, steps=task.steps, expected=expected, **arguments)


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
