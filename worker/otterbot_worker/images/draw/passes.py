# mypy: disallow-untyped-calls=False
"""What the passes of a picture have in common: the picture that is being drawn, and the count of its steps."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import diffusers
import torch

from ...errors import JobFailed
from ...gpu.messages import Draw
from ...models import noise_schedule
from ...sampling import samplers
from ..load.loaded import Loaded
from ..monitor import Monitor
from ..pixels import Pixels
from . import guidance
from .previews import Previews

UNGUIDED = 1.0
"""The CFG at which the prompt alone counts, not its difference to a negative one."""

OnStep = Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]
"""What a pipeline calls behind each step."""


class Staying(Protocol):
    """Puts back what is to stay, behind each step."""

    def after(self, on_step: OnStep) -> OnStep: ...


@dataclass(kw_only=True)
class Drawing:
    """A picture that is being drawn. Lives as long as that takes; passes hand it on to one another."""

    loaded: Loaded
    task: Draw
    device: torch.device
    monitor: Monitor
    embeddings: dict[str, Any]
    """The prompts, as keyword arguments of the family's pipelines."""
    wordless: Callable[[], dict[str, Any]]
    """The same for no words at all, at a CFG of `UNGUIDED`."""
    generator: torch.Generator
    """The picture's; each pass takes the next numbers from it."""
    steps: Steps
    previews: Previews | None = None
    keeping: Staying | None = None
    """What stays as it is in all passes; the first one finds it."""
    pixels: Pixels | None = None
    """The finished picture, where a pass puts it together of several."""
    notes: list[str] = field(default_factory=list)

    def denoise(
        self, pipe: Any, *, steps: int, expected: int, keeping: Staying | None = None, **arguments: Any
    ) -> torch.Tensor:
        """One run of a pipeline to latents (1, channels, height / 8, width / 8), with a sampler of its own.

        ``steps``: the schedule's; ``expected``: how many of them are drawn, as its pass has told in advance;
        ``keeping``: what stays in this run, besides what stays in all.
        """
        on_step = self.steps.begin(expected)
        if self.previews is not None:
            on_step = self.previews.after(on_step)
        for one in (self.keeping, keeping):
            on_step = on_step if one is None else one.after(on_step)
        pipe.scheduler = scheduler(self.task, self.loaded.base_scheduler, steps=steps)
        usual = {"generator": self.generator, "guidance_scale": self.task.guidance_scale}
        with guidance.rescaled(pipe, rescale(self.loaded, self.task)):
            latents: torch.Tensor = pipe(
                **{**self.embeddings, **usual, **arguments},
                num_inference_steps=steps,
                output_type="latent",
                callback_on_step_end=on_step,
                callback_on_step_end_tensor_inputs=["latents"],
            ).images
        self.monitor.check()
        return latents


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One part of the way from noise to a picture: base, refiner, second pass."""

    steps: int
    """How many it is expected to take, in all its runs. Samplers of the second order take nearly twice as many."""
    run: Callable[[Drawing, torch.Tensor | None], torch.Tensor | None]
    """From the latents of the pass before (the first one gets ``None``) to its own, or else to the drawing's pixels."""


class Steps:
    """Counts the steps of all passes as one, and tells the monitor."""

    def __init__(self, monitor: Monitor, passes: Iterable[Pass]) -> None:
        self._monitor = monitor
        self._done = 0
        self._ahead = sum(one.steps for one in passes)
        """Expected of the runs that have not begun."""
        monitor.progress("denoising", 0, self._ahead)

    @property
    def done(self) -> int:
        return self._done

    def begin(self, expected: int) -> OnStep:
        """A run begins; returns what its pipeline has to call behind each step."""
        before, ahead = self._done, self._ahead - expected
        self._ahead = ahead

        def on_step(pipe: Any, index: int, _timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
            self._monitor.check()
            # Only now it is known how many steps this sampler makes of those that were asked for.
            true = pipe.num_timesteps
            self._done = before + min(index + 1, true)
            self._monitor.progress("denoising", self._done, before + true + ahead * true // expected)
            return kwargs

        return on_step


def rescale(loaded: Loaded, task: Draw) -> float:
    """The share of the guidance that is scaled back; 0 where nothing guides."""
    return noise_schedule.rescale(loaded.base_scheduler) if loaded.family.guides(task.guidance_scale) else 0.0


def scheduler(task: Draw, base: dict[str, Any], *, steps: int | None = None) -> Any:
    """A fresh scheduler: they keep state, and their settings stick when one is made from another."""
    sampler = samplers.SAMPLERS[task.sampler]
    name, arguments = sampler.scheduler, dict(sampler.arguments)
    if noise_schedule.zero_snr(base):
        if not sampler.zero_snr:
            sentence = (
                f"The sampler {sampler.name} cannot begin with nothing but noise, as this model does; Euler a can."
            )
            raise JobFailed("image_failed", sentence)
        arguments["timestep_spacing"] = "trailing"  # others never reach the step that is nothing but noise
    if str(base.get("_class_name", "")).startswith("FlowMatch"):
        if sampler.flow is None:
            raise JobFailed("image_failed", f"The sampler {sampler.name} does not fit this model; Euler does.")
        name, arguments = sampler.flow, {**sampler.flow_arguments, "flow_shift": base.get("shift", 1.0)}
        if not name.startswith("UniPC"):
            del arguments["flow_shift"]  # they know it as shift, from the base
    if sampler.name in ("LCM", "TCD"):  # they refuse more steps than this
        arguments["original_inference_steps"] = max(50, steps or task.steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about settings of the base that this class has no use for
        return getattr(diffusers, name).from_config(base, **arguments)
