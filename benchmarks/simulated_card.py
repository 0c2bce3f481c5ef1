# mypy: disallow-untyped-calls=False
"""A card that is not there, with a GPU process and a server of language models on it, in simulated time.

What they take of it is told by the memory plans and the sizes of the models; how long they take, by `Costs`. Time is
that of an event loop which jumps to its next moment.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from otterbot_worker.chat.card_use import CardUse, Loaded, Wanted
from otterbot_worker.chat.ollama.card_use import MARGIN, estimate
from otterbot_worker.chat.records import Unloaded
from otterbot_worker.gpu import driver
from otterbot_worker.gpu.info import GpuInfoData
from otterbot_worker.gpu.messages import Draw, Drawn, Memory
from otterbot_worker.images.memory.budget import MemoryBudgets
from otterbot_worker.memory import placement
from otterbot_worker.memory.device_info import BYTES, DeviceInfo

GB = 10**9
TOTAL = 8 * 2**30
CONTEXT = 400_000_000
"""What the GPU process has from its start."""
RESERVE = 500_000_000
RAM = 12 * GB


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Seconds. A picture's are for 512x512, and grow with its pixels; the image model comes back out of the computer's
    memory, and is read from its files once."""

    picture: float
    turn: float
    image_cold: float
    image_warm: float
    llm: float
    returns: float = 1.0
    """Until the driver has the memory back after an unload."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    image: str
    llm: str
    file: int
    memory: int
    sides: tuple[int, ...]
    """Of the pictures, in equal shares."""
    costs: Costs


PAIRS = (
    Pair(
        image="sd15", llm="3B", file=2_000_000_000, memory=2_800_000_000, sides=(512,),
        costs=Costs(picture=5.0, turn=6.0, image_cold=8.0, image_warm=1.5, llm=4.0),
    ),
    Pair(
        image="sd15", llm="3B", file=2_000_000_000, memory=2_800_000_000, sides=(512, 512, 512, 1024),
        costs=Costs(picture=5.0, turn=6.0, image_cold=8.0, image_warm=1.5, llm=4.0),
    ),
    Pair(
        image="ssd-1b", llm="8B", file=4_700_000_000, memory=5_800_000_000, sides=(768,),
        costs=Costs(picture=5.0, turn=10.0, image_cold=15.0, image_warm=3.0, llm=7.0),
    ),
)  # fmt: skip


# ---------------------------------------------------------------- time


class _Clock(selectors.SelectSelector):
    """A selector that does not wait: what would be waited for has passed."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is not None and timeout > 0:
            self.now += timeout
        return super().select(0)


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    clock = _Clock()
    loop = asyncio.SelectorEventLoop(clock)
    loop.time = lambda: clock.now  # type: ignore[method-assign]
    try:
        loop.run_until_complete(work())
    finally:
        loop.close()


def now() -> float:
    return asyncio.get_running_loop().time()


# ---------------------------------------------------------------- the card and who is on it


@dataclass(kw_only=True)
class Place:
    """The card. ``back``: bytes that come back, and when."""

    image: int = 0
    llm: int = 0
    process: int = 0
    back: tuple[int, float] = (0, 0.0)

    def free(self) -> int:
        waiting, when = self.back
        return TOTAL - self.image - self.llm - self.process - (waiting if now() < when else 0)

    def look(self, _device: str) -> driver.Seen:
        return driver.Seen(name="simulated", total=TOTAL, free=self.free())


@dataclass(kw_only=True)
class Counts:
    image_loads: int = 0
    llm_loads: int = 0
    tried_twice: int = 0


class Gpu:
    """The GPU process: ``draw`` plans as the real one does."""

    def __init__(self, place: Place, pair: Pair, counts: Counts) -> None:
        self._place, self._pair, self._counts = place, pair, counts
        self._budgets = MemoryBudgets(reserve=RESERVE, ram_reserve=placement.RAM_RESERVE_BYTES)
        self._seen: set[str] = set()
        self.info = GpuInfoData(device="cuda:0", name="simulated", total_bytes=TOTAL)
        self.pid: int | None = None

    async def start(self) -> None:
        self.pid, self._place.process = 1, CONTEXT

    async def release(self) -> None:
        self._holds(None, 0)

    async def trim(self) -> None:
        self._holds(self.info.resident, self._weights)

    async def draw(self, task: Draw) -> Drawn:
        available = self._place.free() + self._place.image
        facts = DeviceInfo(
            kind="cuda", total=TOTAL, available=available, ram_available=RAM, capability=(8, 6), bf16=True
        )
        budget = self._budgets.begin(task.entry, task, facts)
        if (crowded := budget.crowded()) is not None:
            raise crowded
        if self.info.resident != task.model:
            self._counts.image_loads += 1
            await asyncio.sleep(
                self._pair.costs.image_warm if task.model in self._seen else self._pair.costs.image_cold
            )
            self._seen.add(task.model)
        self._weights = budget.needs.weights(BYTES[budget.precision.storage])
        self._holds(task.model, budget.choice.estimate.card)
        await asyncio.sleep(self._pair.costs.picture * task.width * task.height / 512**2)
        return Drawn(
            task_id=task.task_id, width=task.width, height=task.height, seconds=0.0, pipeline_seconds=0.0,
            load_seconds=0.0, memory=Memory(), resident=task.model, model_hash="",
            peak=budget.peak(budget.choice.estimate.card),
        )  # fmt: skip

    def _holds(self, resident: str | None, count: int) -> None:
        self._place.image = count
        self.info = replace(self.info, resident=resident, held_bytes=count)


class Llm:
    """The server with one language model: `ChatBackend` and `CardModels`, as far as the lease asks them."""

    name = "Ollama"

    def __init__(self, place: Place, pair: Pair, counts: Counts) -> None:
        self._place, self._pair, self._counts = place, pair, counts
        self.capabilities = mock.Mock(needs_card=True)

    def _use(self) -> CardUse:
        return CardUse(name=self._pair.llm, key=self._pair.llm, size=self._pair.memory, on_card=self._place.llm)

    async def loaded(self) -> Loaded:
        return Loaded(models=[self._use()] if self._place.llm else [])

    async def wanted(self, model: str | None) -> Wanted:
        return Wanted(
            name=self._pair.llm, key=self._pair.llm, estimate=estimate(self._pair.file, 4096), margin=MARGIN,
            loaded=self._use() if self._place.llm else None,
        )  # fmt: skip

    async def load(self, model: str | None, on_phase: Callable[[Any], None]) -> CardUse:
        if not self._place.llm:
            self._counts.llm_loads += 1
            await asyncio.sleep(self._pair.costs.llm)
            self._place.llm = min(self._pair.memory, max(1, self._place.free() - MARGIN))
        return self._use()

    async def unload(self, timeout: float) -> Unloaded:
        had, self._place.llm = self._place.llm, 0
        if had:
            self._place.back = had, now() + self._pair.costs.returns
        return Unloaded(gone=True, on_card=had)

    async def chat(self) -> None:
        await self.load(None, lambda _: None)
        slow = self._pair.memory / self._place.llm
        await asyncio.sleep(self._pair.costs.turn * slow)


class Meta:
    """What is left of a `Store`."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    async def meta(self, name: str) -> Any:
        return self._kept.get(name)

    async def set_meta(self, name: str, value: Any) -> None:
        self._kept[name] = value
