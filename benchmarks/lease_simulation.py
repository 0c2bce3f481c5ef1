"""One card for pictures and chats: what it is worth that models which fit together stay together.

    PYTHONPATH=worker python benchmarks/lease_simulation.py [--seeds 8]

An hour of pictures and turns, twice in each run: with ``gpu.lease: exclusive``, where each kind sends the other's model
off the card, and with ``measured``. Real are the schedule, the lease with all that it asks, the memory plans and the
sizes of the models; not real are the clock, the card, and how long things take (``COSTS``). Time is that of an event
loop which jumps to its next moment.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import selectors
import statistics
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast
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
from otterbot_worker.models.catalogue import Catalogue, load_catalogue
from otterbot_worker.queue.schedule import Bounds, choose
from otterbot_worker.queue.store import Head
from otterbot_worker.runner import beside
from otterbot_worker.runner.lease import Card
from otterbot_worker.runner.sharing import Sharing
from otterbot_worker.runner.sharing_store import SharingStore

GB = 10**9
TOTAL = 8 * 2**30
CONTEXT = 400_000_000
"""What the GPU process has from its start."""
RESERVE = 500_000_000
RAM = 12 * GB
BOUNDS = Bounds(times=3, seconds=60.0)
"""As ``queue`` has them in the settings."""
MODES = ("exclusive", "measured")


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
LOADS = ((30, 30), (120, 120), (240, 240), (360, 360))
"""Pictures and turns in the hour."""


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


# ---------------------------------------------------------------- an hour


@dataclass(kw_only=True)
class Asked:
    """A row. Seconds."""

    seq: int
    owner: str
    kind: Literal["image", "chat"]
    at: float
    side: int
    overtaken: int = 0
    overtaken_at: float | None = None
    done: float = 0.0


@dataclass(kw_only=True)
class Hour:
    counts: Counts = field(default_factory=Counts)
    rows: list[Asked] = field(default_factory=list)

    def wait(self, kind: str) -> float:
        """From asking until it is there, mean."""
        return statistics.fmean(row.done - row.at for row in self.rows if row.kind == kind)

    @property
    def swaps(self) -> int:
        return self.counts.image_loads + self.counts.llm_loads

    @property
    def minutes(self) -> float:
        """Until everything is there that was asked for."""
        return max(row.done for row in self.rows) / 60

    def within(self) -> int:
        """What was done within the hour."""
        return sum(row.done <= 3600 for row in self.rows)


def asked(pair: Pair, load: tuple[int, int], seed: int) -> list[Asked]:
    """Six people ask at random moments; the same ones for both ways."""
    chance = random.Random(seed)
    rows = []
    for kind, count in zip(("image", "chat"), load, strict=True):
        for _ in range(count):
            owner, side = f"person {chance.randrange(6)}", chance.choice(pair.sides)
            kind_of = cast(Literal["image", "chat"], kind)
            rows.append(Asked(seq=0, owner=owner, kind=kind_of, at=chance.uniform(0, 3600), side=side))
    rows.sort(key=lambda row: row.at)
    return [replace(row, seq=number) for number, row in enumerate(rows)]


def simulate(pair: Pair, load: tuple[int, int], seed: int, mode: str, catalogue: Catalogue) -> Hour:
    hour = Hour(rows=asked(pair, load, seed))
    place = Place()
    gpu, llm = Gpu(place, pair, hour.counts), Llm(place, pair, hour.counts)
    known = SharingStore(cast(Any, Meta()))
    sharing = Sharing(cast(Any, gpu), cast(Any, llm), llm, known, reserve=RESERVE)
    card = Card(cast(Any, gpu), cast(Any, llm), sharing if mode == "measured" else None)
    patched = {"look": place.look, "cards": lambda: 1, "free_memory": place.free}
    with mock.patch.multiple(driver, **patched):
        run(lambda: _work(hour, pair, card, gpu, llm, catalogue))
    return hour


async def _work(hour: Hour, pair: Pair, card: Card, gpu: Gpu, llm: Llm, catalogue: Catalogue) -> None:
    waiting: list[Asked] = []
    coming = list(hour.rows)
    served: dict[tuple[str, str], float] = {}
    while coming or waiting:
        while coming and coming[0].at <= now():
            waiting.append(coming.pop(0))
        if not waiting:
            await asyncio.sleep(coming[0].at - now())
            continue
        choice = choose(_heads(waiting, pair), resident=card.resident, served=served, now=now(), bounds=BOUNDS)
        assert choice is not None
        row = next(one for one in waiting if one.seq == choice.seq)
        for passed in waiting:
            if passed.seq in choice.overtaken:
                passed.overtaken += 1
                passed.overtaken_at = now() if passed.overtaken_at is None else passed.overtaken_at
        waiting.remove(row)
        served["c", row.owner] = now()
        await (_picture(row, pair, card, gpu, catalogue) if row.kind == "image" else _turn(card, llm))
        row.done = now()


def _heads(waiting: Sequence[Asked], pair: Pair) -> list[Head]:
    """The first row of each person and kind, as the queue has it."""
    first: dict[tuple[str, str], Asked] = {}
    for row in waiting:
        first.setdefault((row.owner, row.kind), row)
    return [
        Head(
            seq=row.seq, client="c", owner=row.owner, kind=row.kind, overtaken=row.overtaken,
            overtaken_at=row.overtaken_at, model=pair.image if row.kind == "image" else pair.llm,
        )
        for row in first.values()
    ]  # fmt: skip


async def _picture(row: Asked, pair: Pair, card: Card, gpu: Gpu, catalogue: Catalogue) -> None:
    entry = catalogue.images[pair.image]
    company = await card.for_images(pair.image)
    task = Draw(
        task_id=str(row.seq), entry=entry, model=pair.image, prompt="otter", negative_prompt="", steps=30,
        guidance_scale=7.0, width=row.side, height=row.side, sampler="UniPC", seed=1, output=Path("unused"),
        peaks=await card.peaks(pair.image),
    )  # fmt: skip
    await beside.draw(card, task, company, gpu.draw, lambda: False)


async def _turn(card: Card, llm: Llm) -> None:
    if await card.for_chat(None):
        await card.load_beside(None, lambda _: None)
    await llm.chat()
    await card.chatted(llm.name)


# ---------------------------------------------------------------- the table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=8)
    options = parser.parse_args()
    head = ["models, pictures", "an hour", "swaps", "chat waits", "picture waits", "done in the hour", "all done after"]
    print(" | ".join(["", *head, ""]).strip())
    print("|" + "---|" * len(head))
    with tempfile.TemporaryDirectory() as folder:
        catalogue = load_catalogue(data_dir=Path(folder))
        for pair in PAIRS:
            for load in LOADS:
                ways = {
                    mode: [simulate(pair, load, seed, mode, catalogue) for seed in range(options.seeds)]
                    for mode in MODES
                }
                print(_line(pair, load, ways))


def _line(pair: Pair, load: tuple[int, int], ways: dict[str, list[Hour]]) -> str:
    def cell(of: Callable[[Hour], float], digits: int = 0, unit: str = "") -> str:
        old, new = (statistics.fmean(map(of, ways[mode])) for mode in MODES)
        return f"{old:.{digits}f} → {new:.{digits}f}{unit} ({new / old:.2f})"

    sides = ", ".join(f"{side}²" for side in dict.fromkeys(pair.sides))
    return " | ".join(
        [
            f"| {pair.image} and {pair.llm}, {sides}",
            f"{load[0]} + {load[1]}",
            cell(lambda hour: hour.swaps),
            cell(lambda hour: hour.wait("chat"), 1, " s"),
            cell(lambda hour: hour.wait("image"), 1, " s"),
            cell(lambda hour: hour.within()),
            cell(lambda hour: hour.minutes, 1, " min") + " |",
        ]
    )


if __name__ == "__main__":
    main()
