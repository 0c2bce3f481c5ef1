# mypy: disallow-untyped-calls=False
"""What is in memory: the model on the device with what belongs to it, and the models that wait in the computer's.

The loaded pipeline lives from the first picture of a model until another model, ``release`` or the end of the process.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

import torch

from ..errors import JobFailed
from ..memory.device_info import DeviceInfo
from ..models.entries import ModelEntry
from .draw.prompt_cache import Embeddings
from .draw.safety_checker import Safety
from .load import device as devices
from .load.loaded import Loaded
from .load.loader import load, place, put_away
from .memory import placing
from .memory.budget import MemoryBudget
from .memory.cpu_model_cache import CpuModelCache, serves
from .monitor import Monitor

log = logging.getLogger(__name__)


class Residency:
    """``ram_reserve``: bytes of the computer's memory that are left to others; ``measure``: says what a device has."""

    def __init__(
        self,
        device: torch.device,
        *,
        downloads: bool,
        ram_reserve: int,
        measure: Callable[[torch.device, int], DeviceInfo],
    ) -> None:
        self._device = device
        self._downloads = downloads
        self._ram_reserve = ram_reserve
        self.measure = measure
        self.loaded: Loaded | None = None
        self.embeddings = Embeddings()
        """Of the loaded model; empty where none is."""
        self.safety = Safety()
        self.cpu_cache = CpuModelCache()

    def release(self) -> None:
        """Let go of every model and give their memory back."""
        self.cpu_cache.clear()
        self._let_go()

    def put_away(self, needed: int = 0, *, but: ModelEntry | None = None) -> None:
        """Take the model off the device, into the computer's memory if that allows: beside the reserve, ``needed``
        bytes have to be free there afterwards. For that older ones go first, except ``but``."""
        if self.loaded is None and not self.cpu_cache.names:
            self._let_go()
            return
        needed += self._ram_reserve
        available = self.measure(self._device, 0).ram_available
        moved = 0
        if self.loaded is not None and self._device.type != "cpu":
            moved = placing.weight_bytes(self.loaded.pipes, self._device.type)
        stays = self.loaded is not None and needed + moved <= available + self.cpu_cache.held
        fits = self.cpu_cache.shrink(needed + moved if stays else needed, available, but=but)
        if self.loaded is not None and stays and fits:
            with contextlib.suppress(Exception):  # a model that cannot be moved is dropped
                put_away(self.loaded)
                self.cpu_cache.put(self.loaded)
                self.loaded = None
        self._let_go()

    def _let_go(self) -> None:
        if self.loaded is not None:
            with contextlib.suppress(Exception):
                for pipe in self.loaded.pipes:
                    placing.unhook(self.loaded.plan, pipe)
                self.loaded.controls.release()
        self.loaded = None
        self.embeddings.clear()
        self.safety.release()
        devices.empty(self._device)

    def look(self, entry: ModelEntry) -> DeviceInfo:
        """What the device has now, with what this process would give back counted as free.

        :raises JobFailed: another program has filled the card, so that even looking runs out of memory
        :raises devices.DeviceLost:
        """
        for last in (False, True):
            held = self.cpu_cache.held
            held += placing.weight_bytes(self.loaded.pipes, "cpu") if self.loaded is not None else 0
            try:
                return self.measure(self._device, held)
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

    def settle(self) -> None:
        """After each picture, however it ended. Never raises, as that would hide how it ended: a model that cannot be
        moved is let go."""
        if self.loaded is None:
            return
        try:
            placing.settle(self.loaded.plan, self.loaded.pipe)
        except Exception as error:
            log.warning("a model could not be moved off the device: %s", where(error))
            self._let_go()

    def ensure(self, budget: MemoryBudget, monitor: Monitor) -> tuple[Loaded, float]:
        """The budget's model, loaded where its plan says, and for how many seconds its files were read."""
        loaded = self.loaded
        if loaded is not None and loaded.entry == budget.entry and loaded.plan.same_place(budget.plan):
            monitor.check()
            placing.tile(loaded.pipe, budget.plan)
            loaded.plan = budget.plan
            return loaded, 0.0
        monitor.progress("loading")
        monitor.check()
        here = self.cpu_cache.has(budget.entry, budget.plan)
        if loaded is not None and loaded.entry == budget.entry:
            here = serves(loaded, budget.entry, budget.plan)
            if not here:
                self._let_go()
        loaded = None
        self.put_away(0 if here else budget.ram_needed, but=budget.entry)
        found = self.cpu_cache.take(budget.entry, budget.plan)
        if found is not None:
            place(found, budget.plan, self._device)
            self.loaded = found
            return found, 0.0
        self.loaded = load(
            budget.entry,
            self._device,
            budget.plan,
            downloads=self._downloads,
            monitor=monitor,
            precision=budget.precision,
        )
        return self.loaded, self.loaded.load_seconds


def where(error: BaseException) -> str:
    """Type and place, not the message: it may quote the prompt."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f"{Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else "?"
    return f"{type(error).__name__} at {place}"
