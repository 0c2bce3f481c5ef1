# mypy: disallow-untyped-calls=False
"""The engine: one picture at a time, one model in memory, from a resolved task to raw RGB bytes.

Owns the loaded pipeline; its lifetime is from the first picture of a model until another
model, ``release`` or the end of the process.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import Cancelled, CannotLook, JobFailed
from ..gpu.messages import Draw, Drawn, Measured, Memory
from ..memory import placement
from ..memory.device_info import DeviceInfo
from ..models.entries import ModelEntry
from ..sampling import tiles
from .draw.passes import rescale
from .draw.picture import generate, refined
from .draw.prompt_cache import Embeddings
from .draw.safety_checker import Safety
from .draw.step_hooks import watching
from .load import device as devices
from .load import libraries
from .load.loaded import Loaded
from .load.loader import load, place, put_away
from .memory import placing
from .memory.budget import MemoryBudget, MemoryBudgets
from .memory.cpu_model_cache import CpuModelCache, serves
from .monitor import Monitor
from .pixels import Pixels
from .task_validation import check_task

log = logging.getLogger(__name__)


class Engine:
    """``device``: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. ``reserve`` and ``ram_reserve``: bytes that are left to
    others. ``measure``: in the place of ``devices.facts``. :raises devices.NoDevice:"""

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
        self._measure = measure
        self._loaded: Loaded | None = None
        self._embeddings = Embeddings()
        """Of the loaded model; empty where none is."""
        self._safety = Safety()
        self._ram_reserve = ram_reserve
        self._cpu_cache = CpuModelCache()
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
        return self._loaded.entry.name if self._loaded else None

    def memory(self) -> Memory:
        return devices.memory(self._device)

    def release(self) -> None:
        """Let go of every model and give their memory back."""
        self._cpu_cache.clear()
        self._let_go()

    def trim(self) -> None:
        """Give back what is kept to compute with; the model stays where it is."""
        devices.empty(self._device)

    def put_away(self, needed: int = 0, *, but: ModelEntry | None = None) -> None:
        """Take the model off the device, into the computer's memory if that allows: beside the reserve, ``needed``
        bytes have to be free there afterwards. For that older ones go first, except ``but``."""
        if self._loaded is None and not self._cpu_cache.names:
            self._let_go()
            return
        needed += self._ram_reserve
        available = self._measure(self._device, 0).ram_available
        moved = 0
        if self._loaded is not None and self._device.type != "cpu":
            moved = placing.weight_bytes(self._loaded.pipes, self._device.type)
        stays = self._loaded is not None and needed + moved <= available + self._cpu_cache.held
        fits = self._cpu_cache.shrink(needed + moved if stays else needed, available, but=but)
        if self._loaded is not None and stays and fits:
            with contextlib.suppress(Exception):  # where it cannot be moved, it is let go
                put_away(self._loaded)
                self._cpu_cache.put(self._loaded)
                self._loaded = None
        self._let_go()

    def _let_go(self) -> None:
        if self._loaded is not None:
            with contextlib.suppress(Exception):
                for pipe in self._loaded.pipes:
                    placing.unhook(self._loaded.plan, pipe)
                self._loaded.controls.release()
        self._loaded = None
        self._embeddings.clear()
        self._safety.release()
        devices.empty(self._device)

    def draw(self, task: Draw, monitor: Monitor) -> Drawn:
        """Draw the picture and write its rows to ``task.output``.

        :raises JobFailed: Cancelled: devices.DeviceLost:
        """
        started = time.monotonic()
        entry = task.entry
        check_task(task, entry)
        budget = self._budgets.begin(entry, task, self._look(entry))
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
            error.lessons = budget.learned
            raise
        finally:
            self._budgets.learn(entry, budget.learned)
        steps = tiles.steps(task)
        monitor.progress("saving", steps, steps)
        try:
            task.output.write_bytes(outcome.pixels.tobytes())
        except OSError as error:
            # Not an accident of this process: the worker decides by the number what becomes of the picture.
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
            lessons=budget.learned,
            peak=budget.peak(outcome.peak),
            **dict(outcome.measured),
        )

    def _surroundings(self, budget: MemoryBudget) -> dict[str, str]:
        """What else the last bits of a picture depend on."""
        kept, computed = budget.precision.storage, budget.precision.compute
        return {
            "device": self.name,
            "precision": computed if kept == computed else f"{kept}, computed in {computed}",
            **({"threads": str(torch.get_num_threads())} if self._device.type == "cpu" else {}),
        }

    def _look(self, entry: ModelEntry) -> DeviceInfo:
        """The device as it is now, what this process would give back included. On a card that something else has
        filled, even looking runs out of memory. :raises JobFailed: devices.DeviceLost:"""
        for last in (False, True):
            held = self._cpu_cache.held
            held += placing.weight_bytes(self._loaded.pipes, "cpu") if self._loaded is not None else 0
            try:
                return self._measure(self._device, held)
            except Exception as error:
                if devices.is_fatal(error):
                    raise devices.DeviceLost(type(error).__name__).with_traceback(error.__traceback__) from None
                if not devices.is_out_of_memory(error):
                    raise
            if not last:
                self.release()
        raise JobFailed(
            "out_of_memory",
            "Something else on the worker's machine has filled the graphics card. Please ask again when it is done.",
            {"model": entry.name},
        )

    # ------------------------------------------------------------ one attempt

    def _attempt(self, task: Draw, entry: ModelEntry, budget: MemoryBudget, monitor: Monitor) -> _Outcome | None:
        """``None``: memory did not suffice under the budget's plan. Errors leave without their frames,
        which would hold on to the tensors in them."""
        try:
            outcome = self._draw(task, budget, monitor)
        except (Cancelled, CannotLook, JobFailed) as error:
            self._settle()
            raise error.with_traceback(None) from None
        except Exception as error:
            if devices.is_fatal(error):  # every call on the device fails from now on, and would hide what it was
                raise devices.DeviceLost(type(error).__name__).with_traceback(error.__traceback__) from None
            if devices.is_out_of_memory(error):
                return None
            log.error("a picture failed: %s", _where(error))
            self._settle()
            raise JobFailed(
                "image_failed",
                f"The picture failed inside the model ({type(error).__name__}). Another sampler or size may help.",
                {"error": type(error).__name__, "model": entry.name, "sampler": task.sampler},
            ) from None
        self._settle()
        return outcome

    def _settle(self) -> None:
        """After a picture, however it ended. What fails here does not take the place of that: the model is let go."""
        if self._loaded is None:
            return
        try:
            placing.settle(self._loaded.plan, self._loaded.pipe)
        except Exception as error:
            log.warning("a model could not be moved off the device: %s", _where(error))
            self._let_go()

    def _draw(self, task: Draw, budget: MemoryBudget, monitor: Monitor) -> _Outcome:
        load_seconds = self._ensure(budget, monitor)
        devices.begin_peak(self._device)
        assert self._loaded is not None
        loaded = self._loaded
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
            self._safety.load(task.checker, downloads=self._downloads, monitor=monitor)
        monitor.check()
        started = time.monotonic()
        applied = loaded.adapters.applied(loaded.pipe, task.loras)
        with watching(loaded.pipe, monitor.check), applied:
            pixels, more = generate(loaded, task, self._device, monitor, self._embeddings)
        if task.checker is not None:
            monitor.check()
            self._safety.look(pixels)
        return _Outcome(
            pixels=pixels,
            notes=notes + more,
            load_seconds=load_seconds,
            pipeline_seconds=time.monotonic() - started,
            measured=_measured(loaded, task),
            peak=devices.peak(self._device),
        )

    def _ensure(self, budget: MemoryBudget, monitor: Monitor) -> float:
        """Have that model loaded where its plan says; how many seconds reading it took, 0 where it was in memory."""
        loaded = self._loaded
        if loaded is not None and loaded.entry == budget.entry and loaded.plan.same_place(budget.plan):
            monitor.check()
            placing.tile(loaded.pipe, budget.plan)
            loaded.plan = budget.plan
            return 0.0
        monitor.progress("loading")
        monitor.check()
        here = self._cpu_cache.has(budget.entry, budget.plan)
        if loaded is not None and loaded.entry == budget.entry:
            here = serves(loaded, budget.entry, budget.plan)
            if not here:
                self._let_go()
        loaded = None
        self.put_away(0 if here else budget.ram_needed, but=budget.entry)
        found = self._cpu_cache.take(budget.entry, budget.plan)
        if found is not None:
            place(found, budget.plan, self._device)
            self._loaded = found
            return 0.0
        self._loaded = load(
            budget.entry,
            self._device,
            budget.plan,
            downloads=self._downloads,
            monitor=monitor,
            precision=budget.precision,
        )
        return self._loaded.load_seconds


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """Of one attempt that came to its end."""

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


def _where(error: BaseException) -> str:
    """Type and place, not the message: it may quote the prompt."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f"{Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else "?"
    return f"{type(error).__name__} at {place}"
