# mypy: disallow-untyped-calls=False
"""What the benchmarks and tests of the card share: the engine on full-size models with random weights.

The small random models of the tests give tokenizers, samplers and settings; their modules are replaced by ones of the
published configurations (``model_configs.json``) when they are loaded. All else is the engine as it is: plans, moves,
samplers, decoder. ``tiny``: they are not replaced, so that the programs run anywhere.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import full_size
import torch

from otterbot_worker.errors import Cancelled, JobFailed
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.images.engine import Engine
from otterbot_worker.images.load import device as devices
from otterbot_worker.images.load import loader
from otterbot_worker.images.memory import budget
from otterbot_worker.memory import placement
from otterbot_worker.memory.device_info import DeviceInfo
from otterbot_worker.memory.oom_history import OutOfMemory
from otterbot_worker.models import estimates
from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.models.entries import ModelEntry

MAKE = Path(__file__).resolve().parents[1] / "tests" / "worker" / "support" / "make_tiny_models.py"
GIB = 2**30
RAM = 10**12
"""More than any plan needs: here the card is looked at."""

MODELS = {
    # name: folder of the small one, kind in model_configs.json
    "sd15": ("tiny-sd", "sd1"),
    "ssd-1b": ("otter-noise", "ssd-1b"),
    "sdxl": ("otter-noise", "sdxl"),
    "sd35-medium": ("tiny-sd3", "sd35-medium"),
    "z-image-turbo": ("tiny-zimage", "z-image"),
    "flux2-klein": ("tiny-klein", "flux2-klein-4b"),
}
"""The last two in bf16: quantised files of them cannot be made here."""
USUAL = ("sd15", "ssd-1b")
"""Where nobody says which. Most of the time goes by making weights, and larger models take minutes for that."""
ALL = "all"


@dataclass(kw_only=True)
class Watch:
    """``images.monitor.Monitor``: takes the time of phases and steps of the last attempt, from loading on; what was
    before, in one that ran out of memory, is forgotten, the peak of the card as well. ``cancel_after``: seconds from
    the first step."""

    device: torch.device
    cancel_after: float | None = None
    phases: dict[str, float] = field(default_factory=dict)
    steps: list[float] = field(default_factory=list)
    asked: float | None = None
    """When the cancel was asked for."""

    def progress(self, phase: str, step: int = 0, steps: int = 0) -> None:
        if phase == "loading":
            self._begin()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        self.phases.setdefault(phase, now)
        if phase == "denoising":
            self.steps.append(now)

    def _begin(self) -> None:
        """An attempt; where the model is in its place already, nothing is said of it, and it is the first."""
        self.phases.clear()
        self.steps.clear()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)

    def preview(self, picture: bytes) -> None:
        pass

    def check(self) -> None:
        if self.cancel_after is None or not self.steps:
            return
        due = self.steps[0] + self.cancel_after
        if time.perf_counter() >= due:
            # Asked for at that moment, seen only now.
            self.asked = due
            raise Cancelled()

    @property
    def step_seconds(self) -> float:
        """Of one step; the first one is left out, which warms up."""
        return (self.steps[-1] - self.steps[1]) / max(1, len(self.steps) - 2)

    @property
    def decode_seconds(self) -> float:
        return self.phases["saving"] - self.phases["decoding"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Of one picture. Bytes at the peak are the allocator's; ``None`` without a card."""

    plan: str
    watch: Watch
    seconds: float
    pipeline_seconds: float
    notes: list[str]
    allocated: int | None
    reserved: int | None


class Rig:
    """``cap``: bytes of the card that this process may use, and believes to be free. ``folder``: where the small models
    are (``models``), or are made."""

    def __init__(self, folder: Path, *, device: str, tiny: bool, cap: int) -> None:
        if not (folder / "models").is_dir():
            subprocess.run([sys.executable, str(MAKE), str(folder / "models")], check=True, capture_output=True)
        self.device, self.tiny, self.cap = devices.pick(device), tiny, cap
        if self.device.type == "cuda":
            total = torch.cuda.get_device_properties(self.device).total_memory
            torch.cuda.set_per_process_memory_fraction(min(1.0, cap / total), self.device)
        known = load_catalogue(data_dir=folder)
        self.entries = {name: self._entry(known.images[name], folder) for name in MODELS}
        self.engine = self._new_engine()

    def _new_engine(self) -> Engine:
        return Engine(device=str(self.device), reserve=0, ram_reserve=0, measure=self._facts)

    def renew(self) -> None:
        """As after a start: nothing on the card, nothing in the computer's memory, no OOM history."""
        self.engine.release()
        self.engine = self._new_engine()

    def _entry(self, shipped: ModelEntry, folder: Path) -> ModelEntry:
        limits = replace(shipped.limits, size_min=16)
        small = folder / "models" / MODELS[shipped.name][0]
        return replace(
            shipped, hub=None, folder=str(small), variant=None, vae=None, transformer=None, file=None, limits=limits
        )

    def _facts(self, device: torch.device, held: int) -> DeviceInfo:
        if device.type == "cuda":
            return replace(devices.facts(device, held), available=self.cap, ram_available=RAM)
        # A card that computes in full precision, as the processor can: all plans, with nothing to be moved.
        return DeviceInfo(kind="cuda", total=self.cap, available=self.cap, ram_available=RAM, capability=(6, 1))

    def needs(self, entry: ModelEntry) -> estimates.Needs:
        """Of the full-size model."""
        parts = estimates.published(MODELS[entry.name][1])
        kept = {name: part for name, part in parts.items() if name not in entry.without}
        return estimates.Needs(parts=kept, computing=entry.abilities.computing)

    def estimate(self, name: str, plan: placement.Plan, side: int) -> int:
        entry = self.entries[name]
        facts = self._facts(self.device, 0)
        precision = facts.precision(wants_bf16=entry.abilities.bf16)
        needs = self.needs(entry)
        return placement.estimate(needs, plan, side * side, precision, math_only=facts.math_only).card

    @contextmanager
    def full_size(self) -> Iterator[None]:
        """In here models are loaded in full size."""
        from_folder = loader._from_folder

        def replaced(entry: ModelEntry, family: Any, folder: Path, dtype: torch.dtype, **more: Any) -> tuple[Any, str]:
            pipe, found = from_folder(entry, family, folder, dtype, **more)
            if not self.tiny:
                self._swap(pipe, MODELS[entry.name][1], dtype)
            # The decoder that the catalogue names does not ask for full precision, as the published one of SDXL does.
            pipe.vae.register_to_config(force_upcast=False)
            return pipe, found

        with ExitStack() as stack:
            stack.enter_context(mock.patch.object(loader, "_from_folder", replaced))
            stack.enter_context(mock.patch.object(budget, "needs_of", self.needs))
            yield

    def _swap(self, pipe: Any, kind: str, dtype: torch.dtype) -> None:
        usual = torch.get_default_dtype()
        for name, component in full_size.kinds()[kind].items():
            if getattr(pipe, name, None) is None:
                continue
            pipe.register_modules(**{name: None})
            gc.collect()
            torch.set_default_dtype(dtype)
            try:
                module = full_size.build(component)
            finally:
                torch.set_default_dtype(usual)
            pipe.register_modules(**{name: module.to(dtype)})

    def draw(
        self,
        name: str,
        *,
        side: int | None = None,
        steps: int = 3,
        plan: placement.Plan | None = None,
        prompt: str = "otter, cowboy hat",
        cancel_after: float | None = None,
    ) -> Outcome:
        """One picture. ``plan``: the one to begin with, else the engine chooses for the cap. That the others before it
        do not fit is in the OOM history until ``renew``.

        :raises Cancelled: after ``cancel_after``; the watch hangs on it as ``watch``
        """
        entry = self.entries[name]
        side = side or (64 if self.tiny else entry.defaults.width)
        before = [] if plan is None else placement.PLANS[: placement.PLANS.index(plan)]
        ooms = [OutOfMemory(plan=one.name, card=0, available=RAM) for one in before]
        watch = Watch(device=self.device, cancel_after=cancel_after)
        cuda = self.device.type == "cuda"
        if cuda:
            torch.cuda.reset_peak_memory_stats(self.device)
        with tempfile.TemporaryDirectory() as folder, self.full_size():
            task = Draw(
                task_id="rig", entry=entry, model=entry.name, prompt=prompt, negative_prompt="", steps=steps,
                guidance_scale=entry.defaults.guidance_scale, width=side, height=side, sampler=entry.defaults.sampler,
                seed=1, output=Path(folder) / "picture.rgb", oom_history=tuple(ooms),
            )  # fmt: skip
            try:
                drawn = self.engine.draw(task, watch)
            except Cancelled as cancelled:
                cancelled.watch = watch  # type: ignore[attr-defined]
                raise
        return Outcome(
            plan=drawn.plan,
            watch=watch,
            seconds=drawn.seconds,
            pipeline_seconds=drawn.pipeline_seconds,
            notes=drawn.notes,
            allocated=torch.cuda.max_memory_allocated(self.device) if cuda else None,
            reserved=torch.cuda.max_memory_reserved(self.device) if cuda else None,
        )

    def cancel(self, name: str, after: float, **settings: Any) -> float | None:
        """Seconds from asking to the end of the picture; ``None``: it was done before."""
        try:
            self.draw(name, cancel_after=after, **settings)
        except Cancelled as cancelled:
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            return time.perf_counter() - float(cancelled.watch.asked)  # type: ignore[attr-defined]
        return None


def attempt(rig: Rig, name: str, **settings: Any) -> Outcome | JobFailed:
    """A picture, or why there is none: random weights may give no numbers, and the last plan may not fit."""
    try:
        return rig.draw(name, **settings)
    except JobFailed as failed:
        return failed


def no_card(device: str, *, tiny: bool) -> str | None:
    """Why nothing can be measured."""
    if tiny or (device != "cpu" and torch.cuda.is_available()):
        return None
    return "There is no CUDA card here, so nothing was measured. With --tiny --device cpu the program runs anywhere."


def options(parser: argparse.ArgumentParser) -> None:
    """What both programs take."""
    parser.add_argument("--models", nargs="+", choices=[*MODELS, ALL], default=list(USUAL))
    parser.add_argument("--cap", type=float, default=8.0, help="GiB")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--json", type=Path)


def report(
    asked: argparse.Namespace,
    head: list[str],
    measured: Callable[[Rig, str], Iterator[dict[str, Any]]],
    shown: Callable[[dict[str, Any]], list[str]],
) -> None:
    """Measures each model that was asked for and prints a row for each thing ``measured``, or why there is none."""
    if why := no_card(asked.device, tiny=asked.tiny):
        print(why)
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder), device=asked.device, tiny=asked.tiny, cap=int(asked.cap * GIB))
        print(f"{rig.engine.name}, capped at {asked.cap:g} GiB; {rig.engine.versions}", file=sys.stderr)
        for name in MODELS if ALL in asked.models else asked.models:
            rig.renew()
            for row in measured(rig, name):
                rows.append(row)
                print(*shown(row), file=sys.stderr, flush=True)
    print(table([head, *map(shown, rows)]))
    if asked.json:
        about = {"card": rig.engine.name, "cap": rig.cap, "versions": rig.engine.versions, "rows": rows}
        asked.json.write_text(json.dumps(about, indent=1))


def table(rows: list[list[str]]) -> str:
    """As Markdown; the first row is the head."""
    head, *rest = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *rest])
