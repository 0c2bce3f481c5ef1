# mypy: disallow-untyped-calls=False
"""One picture with a loaded pipeline: prompts, passes, pixels. Owns nothing that outlives the picture.

The passes, in order, each one from the latents of the one before::

    base (from noise, or from a picture) → refiner → second pass (larger) → decode

A picture that is upscaled takes one pass. Where a pass draws in tiles, it decodes them itself.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from ...families.prompt import Prompt, lost_notes
from ...gpu.messages import Draw
from ...prompts import StepCount
from ...sampling import sampling_steps, tiles
from ..load.loaded import Loaded
from ..monitor import Monitor
from ..pixels import Pixels
from . import controlnet_steps, hires_pass, img2img, nan_check, noise, previews, refiner_steps
from .decoding import decode
from .passes import UNGUIDED, Drawing, Pass, Steps
from .prompt_cache import Embeddings


def generate(
    loaded: Loaded, task: Draw, device: torch.device, monitor: Monitor, cache: Embeddings
) -> tuple[Pixels, list[str]]:
    """The picture's pixels and notes, with a loaded pipeline."""
    with nan_check.blamed(loaded):
        return _generate(loaded, task, device, monitor, cache)


def _generate(
    loaded: Loaded, task: Draw, device: torch.device, monitor: Monitor, cache: Embeddings
) -> tuple[Pixels, list[str]]:
    task = _laid_out(noise.settled(task))
    sequence = passes(loaded, task)
    steps = Steps(monitor, sequence)
    embeddings, notes = encode(loaded, task, device, cache)
    shown, more = previews.begin(loaded, task, device, monitor, steps)
    notes += more
    wordless = task.model_copy(update={"prompt": "", "negative_prompt": "", "guidance_scale": UNGUIDED})
    drawing = Drawing(
        loaded=loaded,
        task=task,
        device=device,
        monitor=monitor,
        embeddings=embeddings,
        wordless=lambda: encode(loaded, wordless, device, cache)[0],
        generator=torch.Generator("cpu").manual_seed(task.seed),
        steps=steps,
        previews=shown,
    )
    latents: torch.Tensor | None = None
    for one in sequence:
        latents = one.run(drawing, latents)
    pixels = drawing.pixels
    if pixels is None:
        assert latents is not None
        monitor.progress("decoding", steps.done, steps.done)
        pixels, more = decode(loaded, latents, task.seed)
        drawing.notes += more
    if shown is not None:
        shown.finish()
    if loaded.refiner is not None:
        notes += _of_refiner(loaded, task)
    return img2img.finish(task, pixels), notes + list(dict.fromkeys(drawing.notes))


def _of_refiner(loaded: Loaded, task: Draw) -> list[str]:
    """Notes on the refiner: that it drew, or why it did not."""
    if task.upscale is not None:
        return ["Pictures are upscaled without the refiner."]
    if not refined(loaded, task):
        return ["With so few steps none is left for the refiner; the picture was drawn without it."]
    notes = []
    if task.loras:
        notes.append("LoRAs act on the base's steps, not on the refiner's.")
    if task.hires is not None:
        notes.append("The second pass was drawn without the refiner.")
    return notes


def _laid_out(task: Draw) -> Draw:
    """The task with enough steps for its strengths."""
    hires = task.hires
    if hires is not None:
        hires = hires.model_copy(update={"steps": sampling_steps.schedule(hires.steps, hires.strength)})
    steps = sampling_steps.schedule(task.steps, task.strength)
    return task.model_copy(update={"steps": steps, "hires": hires})


def refined(loaded: Loaded, task: Draw) -> bool:
    """Whether the refiner draws the last steps. Not in hires or upscale passes: it was trained for low noise at its own
    size."""
    return task.upscale is None and refiner_steps.split(loaded, task)[1] > 0


def passes(loaded: Loaded, task: Draw) -> list[Pass]:
    """The task's passes in order; the first is the base."""
    if task.upscale is not None:
        return [Pass(steps=tiles.steps(task), run=hires_pass.upscale)]
    first, last = refiner_steps.split(loaded, task)
    sequence = [Pass(steps=first, run=partial(_base, expected=first, hands_over=last > 0))]
    if last:
        sequence.append(Pass(steps=last, run=partial(refiner_steps.refine, expected=last)))
    if task.hires is not None:
        sequence.append(Pass(steps=tiles.steps(task) - first - last, run=hires_pass.second_pass))
    return sequence


def _base(drawing: Drawing, _none: torch.Tensor | None, *, expected: int, hands_over: bool) -> torch.Tensor:
    task = drawing.task
    start = img2img.Start(drawing.loaded.pipe, {"width": task.width, "height": task.height}, None)
    if task.init_image is not None:
        start = img2img.begin(drawing.loaded, task, drawing.device, drawing.generator)
    drawing.keeping = start.keeping
    arguments = start.arguments
    if hands_over and drawing.loaded.refiner is not None:
        arguments["denoising_end"] = drawing.loaded.refiner.hand_over
    with controlnet_steps.controlnet_applied(drawing, start.pipe):
        if task.init_image is not None:
            return drawing.denoise(start.pipe, steps=task.steps, expected=expected, **arguments)
        with noise.varied(start.pipe, task, drawing.generator):
            return drawing.denoise(start.pipe, steps=task.steps, expected=expected, **arguments)


def encode(loaded: Loaded, task: Draw, device: torch.device, cache: Embeddings) -> tuple[dict[str, Any], list[str]]:
    """Encode the prompts: keyword arguments of the pipeline, and notes. The task's LoRAs must already act."""
    family = loaded.family
    guided = family.guides(task.guidance_scale)
    with loaded.inversions.applied(loaded.pipe, task.embeddings) as encoders:
        parts = encoders if family.embeddings else loaded.pipe
        tokenizer, most = family.reads(parts)
        steps = StepCount(*sampling_steps.steps(task.steps, task.strength))
        prompt, negative = (
            Prompt(text, tokenizer, what=what, tokens_max=most, weighted=family.weights, steps=steps)
            for text, what in ((task.prompt, "prompt"), (task.negative_prompt if guided else "", "negative prompt"))
        )
        key = (
            loaded.model_hash,
            guided,
            loaded.adapters.in_encoders(task.loras),
            tuple((entry.token, entry.hash) for entry in task.embeddings),
            tuple((one.blended, one.parts) for one in (prompt, negative)),
            tuple(task.settings().values()),
        )
        embeddings = cache.get(key, device)
        if embeddings is None:
            with torch.no_grad():
                embeddings = family.encode(parts, device, prompt, negative, guided=guided, settings=task)
            cache.put(key, embeddings)
    notes = list(dict.fromkeys([*loaded.notes, *prompt.notes, *negative.notes]))
    notes += lost_notes(loaded.entry.name, prompt, negative)
    notes += task.without_effect(loaded.entry.family, loaded.entry.name)
    if not guided and task.negative_prompt.strip():
        notes.append(family.unguided_note(loaded.entry.name))
    return embeddings, notes
