# mypy: disallow-untyped-calls=False
"""Shared by all passes: the state of the picture that is being drawn, and the step counter."""

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
"""The CFG without guidance: only the prompt's own prediction counts."""

OnStep = Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]
"""diffusers' ``callback_on_step_end``."""


class Staying(Protocol):
    """Restores parts of the latents after each step (inpainting, layout of tiles)."""

    def after(self, on_step: OnStep) -> OnStep: ...


@dataclass(kw_only=True)
class Drawing:
    """The state of one picture, handed from pass to pass."""

    loaded: Loaded
    task: Draw
    device: torch.device
    monitor: Monitor
    embeddings: dict[str, Any]
    """The prompts, as keyword arguments of the family's pipelines."""
    wordless: Callable[[], dict[str, Any]]
    """Embeddings of the empty prompt, for a CFG of `UNGUIDED`."""
    generator: torch.Generator
    """The picture's random numbers; each pass continues the sequence."""
    steps: Steps
    previews: Previews | None = None
    keeping: Staying | None = None
    """The inpainting state for all passes, set by the first."""
    pixels: Pixels | None = None
    """The finished pixels, where a pass assembled them from tiles."""
    notes: list[str] = field(default_factory=list)

    def denoise(
        self, pipe: Any, *, steps: int, expected: int, keeping: Staying | None = None, **arguments: Any
    ) -> torch.Tensor:
        """One run of a pipeline to latents (1, channels, height / 8, width / 8), with a sampler of its own.

        ``steps``: of the schedule; ``expected``: how many of them run, as the pass announced; ``keeping``: what is
        restored in this run besides ``Drawing.keeping``.
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
    """One pass: base, refiner or second pass."""

    steps: int
    """Expected steps of all its runs. Second-order samplers take nearly twice as many."""
    run: Callable[[Drawing, torch.Tensor | None], torch.Tensor | None]
    """From the previous pass's latents (``None`` for the first) to its own; ``None`` where it filled
    ``Drawing.pixels``."""


class Steps:
    """Counts the steps of all passes as one, and tells the monitor."""

    def __init__(self, monitor: Monitor, passes: Iterable[Pass]) -> None:
        self._monitor = monitor
        self._done = 0
        self._ahead = sum(one.steps for one in passes)
        """Expected steps of the runs that have not begun."""
        self._expected = max(1, self._ahead)
        """Steps of all runs, as far as is known by now."""
        monitor.progress("denoising", 0, self._ahead)

    @property
    def done(self) -> int:
        return self._done

    @property
    def share(self) -> float:
        """Which share of all steps is done."""
        return self._done / self._expected

    def begin(self, expected: int) -> OnStep:
        """Begin a run. Returns the step callback for its pipeline."""
        before, ahead = self._done, self._ahead - expected
        self._ahead = ahead

        def on_step(pipe: Any, index: int, _timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
            self._monitor.check()
            # Only the running pipeline knows how many steps its sampler takes.
            true = pipe.num_timesteps
            self._done = before + min(index + 1, true)
            self._expected = before + true + ahead * true // expected
            self._monitor.progress("denoising", self._done, self._expected)
            return kwargs

        return on_step


def rescale(loaded: Loaded, task: Draw) -> float:
    """The guidance rescale; 0 without guidance."""
    return noise_schedule.rescale(loaded.base_scheduler) if loaded.family.guides(task.guidance_scale) else 0.0


def scheduler(task: Draw, base: dict[str, Any], *, steps: int | None = None) -> Any:
    """A fresh scheduler from the base's configuration: schedulers keep state, and settings stick when one is made from
    another."""
    sampler = samplers.SAMPLERS[task.sampler]
    name, arguments = sampler.scheduler, dict(sampler.arguments)
    if noise_schedule.zero_snr(base):
        if not sampler.zero_snr:
            sentence = (
                f"The sampler {sampler.name} cannot begin with nothing but noise, as this model does; Euler a can."
            )
            raise JobFailed("image_failed", sentence)
        arguments["timestep_spacing"] = "trailing"  # other spacings skip the step of pure noise
    if str(base.get("_class_name", "")).startswith("FlowMatch"):
        if sampler.flow is None:
            raise JobFailed("image_failed", f"The sampler {sampler.name} does not fit this model; Euler does.")
        name, arguments = sampler.flow, {**sampler.flow_arguments, "flow_shift": base.get("shift", 1.0)}
        if not name.startswith("UniPC"):
            del arguments["flow_shift"]  # these classes call it shift, and have it from the base
    if sampler.name in ("LCM", "TCD"):  # these refuse more steps than they were distilled with
        arguments["original_inference_steps"] = max(50, steps or task.steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about unused settings of the base
        return getattr(diffusers, name).from_config(base, **arguments)
