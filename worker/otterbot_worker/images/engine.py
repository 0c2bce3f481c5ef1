# mypy: disallow-untyped-calls=False
"""The engine: one picture at a time, from a resolved task to raw RGB bytes, under one memory plan after another."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..errors import Cancelled, CannotLook, JobFailed
from ..gpu.messages import Draw, Drawn, Measured, Memory
from ..memory import placement
from ..memory.device_info import DeviceInfo
from ..models.entries import ModelEntry
from ..sampling import tiles
from .draw.passes import rescale
from .draw.picture import generate, refined
from .draw.step_hooks import watching
from .load import device as devices
from .load import libraries
from .load.loaded import Loaded
from .memory.budget import MemoryBudget, MemoryBudgets
from .monitor import Monitor
from .pixels import Pixels
from .residency import Residency, where
from .task_validation import check_task

log = logging.getLogger(__name__)


class Engine:
    """``device``: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. ``reserve`` and ``ram_reserve``: bytes that are left to
    others. ``measure``: replaces ``devices.facts`` in tests. :raises devices.NoDevice:"""

    def __init__(
        self,
        *,
        device: str = "auto",
        threads: int | None = None,
        downloads: bool = False,
        reserve: int = placement.RESERVE_BYTES,
        ram_reserve: int = placement.RAM_RESERVE_BYTES,
        measure: Callable[[torch.device, int], DeviceInfo] = devices.facts,
    ) -> None:
        libraries.be_quiet()
        if threads:
            torch.set_num_threads(threads)
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        self._device = devices.pick(device)
        self._downloads = downloads
        self.residency = Residency(self._device, downloads=downloads, ram_reserve=ram_reserve, measure=measure)
        self._budgets = MemoryBudgets(reserve=reserve, ram_reserve=ram_reserve)
        self.versions = libraries.versions()

    @property
    def device(self) -> str:
        return str(self._device)

    @property
    def name(self) -> str:
        return devices.name(self._device)

    @property
    def resident(self) -> str | None:
        return self.residency.loaded.entry.name if self.residency.loaded else None

    def memory(self) -> Memory:
        return devices.memory(self._device)

    def release(self) -> None:
        """Let go of every model and give their memory back."""
        self.residency.release()

    def trim(self) -> None:
        """Give back what is kept to compute with; the model stays where it is."""
        devices.empty(self._device)

    def put_away(self) -> None:
        """Take the model off the device, into the computer's memory if that has room."""
        self.residency.put_away()

    def draw(self, task: Draw, monitor: Monitor) -> Drawn:
        """Draw the picture and write its rows to ``task.output``.

        :raises JobFailed: Cancelled: devices.DeviceLost:
        """
        started = time.monotonic()
        entry = task.entry
        check_task(task, entry)
        budget = self._budgets.begin(entry, task, self.residency.look(entry))
        if (crowded := budget.crowded()) is not None:
            raise crowded
        try:
            while (outcome := self._attempt(task, entry, budget, monitor)) is None:
                self.release()
                if task.beside:
                    raise budget.ran_out_beside()
                if not budget.fall_back():
                    raise budget.refusal()
        except JobFailed as error:
            error.ooms = budget.ooms
            raise
        finally:
            self._budgets.remember(entry, budget.ooms)
        steps = tiles.steps(task)
        monitor.progress("saving", steps, steps)
        try:
            task.output.write_bytes(outcome.pixels.tobytes())
        except OSError as error:
            # Not a fault of this process: the worker decides by the errno what to do.
            raise JobFailed(
                "image_failed", "The drawn picture could not be written to the disk.", {"errno": error.errno}
            ) from None
        height, width, _ = outcome.pixels.shape
        return Drawn(
            task_id=task.task_id,
            width=width,
            height=height,
            seconds=time.monotonic() - started,
            pipeline_seconds=outcome.pipeline_seconds,
            load_seconds=outcome.load_seconds,
            memory=self.memory(),
            resident=self.resident,
            versions={**self.versions, **self._surroundings(budget)},
            notes=budget.notes + outcome.notes,
            plan=budget.plan.name,
            ooms=budget.ooms,
            peak=budget.peak(outcome.peak),
            **dict(outcome.measured),
        )

    def _surroundings(self, budget: MemoryBudget) -> dict[str, str]:
        """Facts that the last bits of a picture depend on: device, precision, threads."""
        kept, computed = budget.precision.storage, budget.precision.compute
        return {
            "device": self.name,
            "precision": computed if kept == computed else f"{kept}, computed in {computed}",
            **({"threads": str(torch.get_num_threads())} if self._device.type == "cpu" else {}),
        }

    # ------------------------------------------------------------ one attempt

    def _attempt(self, task: Draw, entry: ModelEntry, budget: MemoryBudget, monitor: Monitor) -> _Outcome | None:
        """``None``: memory ran out under the budget's plan. Tracebacks are dropped: their frames would keep tensors
        alive."""
        try:
            outcome = self._draw(task, budget, monitor)
        except (Cancelled, CannotLook, JobFailed) as error:
            self.residency.settle()
            raise error.with_traceback(None) from None
        except Exception as error:
            if devices.is_fatal(error):  # every later call on the device fails and would hide the first error
                raise devices.DeviceLost(type(error).__name__).with_traceback(error.__traceback__) from None
            if devices.is_out_of_memory(error):
                return None
            log.error("a picture failed: %s", where(error))
            self.residency.settle()
            raise JobFailed(
                "image_failed",
                f"The picture failed inside the model ({type(error).__name__}). Another sampler or size may help.",
                {"error": type(error).__name__, "model": entry.name, "sampler": task.sampler},
            ) from None
        self.residency.settle()
        return outcome

    def _draw(self, task: Draw, budget: MemoryBudget, monitor: Monitor) -> _Outcome:
        loaded, load_seconds = self.residency.ensure(budget, monitor)
        devices.begin_peak(self._device)
        notes = loaded.adapters.load(loaded.pipe, task.loras, lambda: monitor.progress("loading"))
        notes += loaded.inversions.load(loaded.pipe, task.embeddings)
        loaded.controls.load(
            loaded.pipe,
            task.control,
            budget.plan,
            self._device,
            budget.precision,
            downloads=self._downloads,
            monitor=monitor,
        )
        if task.checker is not None:
            self.residency.safety.load(task.checker, downloads=self._downloads, monitor=monitor)
        monitor.check()
        started = time.monotonic()
        applied = loaded.adapters.applied(loaded.pipe, task.loras)
        with watching(loaded.pipe, monitor.check), applied:
            pixels, more = generate(loaded, task, self._device, monitor, self.residency.embeddings)
        if task.checker is not None:
            monitor.check()
            self.residency.safety.look(pixels)
        return _Outcome(
            pixels=pixels,
            notes=notes + more,
            load_seconds=load_seconds,
            pipeline_seconds=time.monotonic() - started,
            measured=_measured(loaded, task),
            peak=devices.peak(self._device),
        )


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """The result of a successful attempt."""

    pixels: Pixels
    notes: list[str]
    load_seconds: float
    pipeline_seconds: float
    measured: Measured
    peak: int | None
    """Bytes of the card at most."""


def _measured(loaded: Loaded, task: Draw) -> Measured:
    with_refiner = loaded.refiner is not None and refined(loaded, task)
    return Measured(
        model_hash=loaded.model_hash,
        unused_embeddings=loaded.inversions.unused,
        control=loaded.controls.record,
        refiner=loaded.refiner.record() if loaded.refiner is not None and with_refiner else None,
        vae=loaded.vae,
        guidance_rescale=rescale(loaded, task) or None,
    )
