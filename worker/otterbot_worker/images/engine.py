# mypy: disallow-untyped-calls=False
"""The engine: one picture at a time, one model in memory, from a resolved task to raw RGB bytes.

Owns the loaded pipeline; its lifetime is from the first picture of a model until another
model, ``release`` or the end of the process.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

# isort: off
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# isort: on

import diffusers
import torch
import transformers

from .. import __version__, samplers
from ..errors import Cancelled, JobFailed
from ..gpu import planning
from ..gpu.facts import DeviceFacts
from ..gpu.messages import Draw, Drawn, Memory
from ..inputs import tiles
from ..models.entries import ModelEntry
from . import device as devices
from . import plans
from .cache import Embeddings
from .decoding import Pixels
from .drawing import generate, refined
from .hooks import watching
from .loading import Loaded, load, place, put_away
from .monitor import Monitor
from .room import Room, Rooms, describe
from .safety import Safety
from .shelf import Shelf, serves

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
        reserve: int = planning.RESERVE_BYTES,
        ram_reserve: int = planning.RAM_RESERVE_BYTES,
        measure: Callable[[torch.device, int], DeviceFacts] = devices.facts,
    ) -> None:
        _be_quiet()
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
        self._shelf = Shelf()
        self._rooms = Rooms(reserve=reserve, ram_reserve=ram_reserve)
        self.versions = {
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "transformers": transformers.__version__,
            "compel": version("compel"),
            "pillow": version("pillow"),  # scales the pictures to start from
            "otterbot-worker": __version__,
        }

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
        self._shelf.clear()
        self._let_go()

    def put_away(self, needed: int = 0, *, but: ModelEntry | None = None) -> None:
        """Take the model off the device, into the computer's memory if that allows: beside the reserve, ``needed``
        bytes have to be free there afterwards. For that older ones go first, except ``but``."""
        needed += self._ram_reserve
        available = self._measure(self._device, 0).ram_available
        moved = 0
        if self._loaded is not None and self._device.type != "cpu":
            moved = plans.weight_bytes(self._loaded.pipes, self._device.type)
        stays = self._loaded is not None and needed + moved <= available + self._shelf.held
        fits = self._shelf.shrink(needed + moved if stays else needed, available, but=but)
        if self._loaded is not None and stays and fits:
            with contextlib.suppress(Exception):  # where it cannot be moved, it is let go
                put_away(self._loaded)
                self._shelf.put(self._loaded)
                self._loaded = None
        self._let_go()

    def _let_go(self) -> None:
        if self._loaded is not None:
            with contextlib.suppress(Exception):
                for pipe in self._loaded.pipes:
                    plans.unhook(self._loaded.plan, pipe)
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
        entry = ModelEntry.from_dict(task.model)
        check_task(task, entry)
        held = self._shelf.held + (plans.weight_bytes(self._loaded.pipes, "cpu") if self._loaded is not None else 0)
        room = self._rooms.begin(entry, task, self._measure(self._device, held))
        while (outcome := self._attempt(task, entry, room, monitor)) is None:
            self.release()
            more_plans = room.fall_back()
            self._rooms.learn(entry, room.failed)
            if not more_plans:
                raise room.refusal()
        pixels, more, load_seconds, pipeline_seconds = outcome
        steps = tiles.steps(vars(task))
        monitor.progress("saving", steps, steps)
        try:
            Path(task.output).write_bytes(pixels.tobytes())
        except OSError as error:
            # Not an accident of this process: the worker decides by the number what becomes of the picture.
            raise JobFailed(
                "image_failed", "The drawn picture could not be written to the disk.", {"errno": error.errno}
            ) from None
        assert self._loaded is not None
        return Drawn(
            task_id=task.task_id,
            width=pixels.shape[1],
            height=pixels.shape[0],
            seconds=time.monotonic() - started,
            pipeline_seconds=pipeline_seconds,
            load_seconds=load_seconds,
            model_hash=self._loaded.model_hash,
            memory={"total_bytes": self.memory().total_bytes, "free_bytes": self.memory().free_bytes},
            resident=self.resident,
            versions=self.versions,
            notes=room.notes + more,
            unused_embeddings=self._loaded.inversions.unused,
            control=self._loaded.controls.record,
            refiner=self._loaded.refining.record()
            if self._loaded.refining is not None and refined(self._loaded, task)
            else None,
            vae=self._loaded.vae,
            plan=room.plan.name,
            lessons=describe(room.failed),
        )

    # ------------------------------------------------------------ one attempt

    def _attempt(
        self, task: Draw, entry: ModelEntry, room: Room, monitor: Monitor
    ) -> tuple[Pixels, list[str], float, float] | None:
        """``None``: memory did not suffice under the room's plan. Errors leave without their frames,
        which would hold on to the tensors in them."""
        try:
            load_seconds = self._ensure(room, monitor)
            assert self._loaded is not None
            extras = self._loaded.adapters.load(self._loaded.pipe, task.loras, lambda: monitor.progress("loading"))
            extras += self._loaded.inversions.load(self._loaded.pipe, task.embeddings)
            self._loaded.controls.load(
                self._loaded.pipe,
                task.control,
                room.plan,
                self._device,
                room.precision,
                downloads=self._downloads,
                monitor=monitor,
            )
            if task.safety is not None:
                self._safety.load(task.safety, downloads=self._downloads, monitor=monitor)
            monitor.check()
            started = time.monotonic()
            applied = self._loaded.adapters.applied(self._loaded.pipe, task.loras)
            with watching(self._loaded.pipe, monitor.check), applied:
                pixels, notes = generate(self._loaded, task, self._device, monitor, self._embeddings)
            if task.safety is not None:
                monitor.check()
                self._safety.look(pixels)
            return pixels, extras + notes, load_seconds, time.monotonic() - started
        except (Cancelled, JobFailed) as error:
            raise error.with_traceback(None) from None
        except Exception as error:
            if devices.is_fatal(error):
                raise devices.DeviceLost(type(error).__name__).with_traceback(error.__traceback__) from None
            if devices.is_out_of_memory(error):
                return None
            log.error("a picture failed: %s", _where(error))
            raise JobFailed(
                "image_failed",
                f"The picture failed inside the model ({type(error).__name__}). Another sampler or size may help.",
                {"error": type(error).__name__, "model": entry.name, "sampler": task.sampler},
            ) from None
        finally:
            if self._loaded is not None:
                plans.settle(self._loaded.plan, self._loaded.pipe)

    def _ensure(self, room: Room, monitor: Monitor) -> float:
        """Have that model loaded where its plan says; how many seconds reading it took, 0 where it was in memory."""
        loaded = self._loaded
        if loaded is not None and loaded.entry == room.entry and loaded.plan.same_place(room.plan):
            monitor.check()
            plans.tile(loaded.pipe, room.plan)
            loaded.plan = room.plan
            return 0.0
        monitor.progress("loading")
        monitor.check()
        here = self._shelf.has(room.entry, room.plan)
        if loaded is not None and loaded.entry == room.entry:
            here = serves(loaded, room.entry, room.plan)
            if not here:
                self._let_go()
        loaded = None
        self.put_away(0 if here else room.ram_needed, but=room.entry)
        found = self._shelf.take(room.entry, room.plan)
        if found is not None:
            place(found, room.plan, self._device)
            self._loaded = found
            return 0.0
        self._loaded = load(
            room.entry,
            self._device,
            room.plan,
            downloads=self._downloads,
            monitor=monitor,
            precision=room.precision,
        )
        return self._loaded.load_seconds


def check_task(task: Draw, entry: ModelEntry) -> None:
    """The last line of defence; the API refuses all of this with better words. :raises JobFailed:"""
    multiple = entry.limits.size_multiple
    larger = [task.hires["width"], task.hires["height"], *task.hires["tile"]] if task.hires is not None else []
    larger += task.upscale["tile"] if task.upscale is not None else []
    for side in (*(task.canvas or (task.width, task.height)), *larger):
        if side < 16 or side > 4096 or side % multiple:
            raise JobFailed("image_failed", f"Width and height must be multiples of {multiple}, from 16 to 4096.")
    if not all(1 <= steps <= 200 for steps in (task.steps, task.hires["steps"] if task.hires is not None else 1)):
        raise JobFailed("image_failed", "The number of steps must be from 1 to 200.")
    if not 0.0 <= task.guidance_scale <= 30.0:  # false for NaN as well
        raise JobFailed("image_failed", "The CFG must be from 0 to 30.")
    if task.sampler not in samplers.SAMPLERS:
        raise JobFailed("image_failed", f"The sampler must be one of {', '.join(samplers.names())}.")
    if task.init_image is not None and not 0.0 < (task.strength or 0.0) <= 1.0:
        raise JobFailed("image_failed", "The strength must be above 0 and at most 1.")
    if task.hires is not None and not 0.0 < task.hires["strength"] <= 1.0:
        raise JobFailed("image_failed", "The strength of a second pass must be above 0 and at most 1.")
    if task.variation is not None and not 0.0 <= task.variation["strength"] <= 1.0:
        raise JobFailed("image_failed", "The strength of a variation must be from 0 to 1.")
    if task.control is not None and not 0.0 <= task.control["scale"] <= 2.0:
        raise JobFailed("image_failed", "The scale of a ControlNet must be from 0 to 2.")
    seeds = [task.seed] if task.variation is None else [task.seed, task.variation["seed"]]
    if not all(0 <= seed < 2**32 for seed in seeds):
        raise JobFailed("image_failed", "The seed must be from 0 to 4294967295.")


def _where(error: BaseException) -> str:
    """Type and place, not the message: it may quote the prompt."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f"{Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else "?"
    return f"{type(error).__name__} at {place}"


def _be_quiet() -> None:
    """Libraries say what they cut off a prompt, at warning level: errors only."""
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    warnings.simplefilter("ignore")
