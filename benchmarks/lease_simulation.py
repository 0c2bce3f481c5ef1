"""One card for pictures and chats: what it is worth that models which fit together stay together.

    PYTHONPATH=worker python benchmarks/lease_simulation.py [--seeds 8]

An hour of pictures and turns, twice in each run: with ``gpu.lease: exclusive``, where each kind sends the other's model
off the card, and with ``measured``. Real are the schedule, the lease with all that it asks, the memory plans and the
sizes of the models; not real are the clock, the card, and how long things take (`simulated_card`).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast
from unittest import mock

from schedule_simulation import BOUNDS
from simulated_card import PAIRS, RESERVE, Counts, Gpu, Llm, Meta, Pair, Place, now, run

from otterbot_worker.gpu import driver
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.models.catalogue import Catalogue, load_catalogue
from otterbot_worker.queue.heads import Head, Service
from otterbot_worker.queue.schedule import OnCard, choose
from otterbot_worker.runner import beside
from otterbot_worker.runner.lease import Card
from otterbot_worker.runner.sharing import Sharing
from otterbot_worker.runner.sharing_store import SharingStore

MODES = ("exclusive", "measured")
LOADS = ((30, 30), (120, 120), (240, 240), (360, 360))
"""Pictures and turns in the hour."""


# ---------------------------------------------------------------- an hour


@dataclass(kw_only=True)
class Asked:
    """A row. Seconds."""

    seq: int
    owner: str
    kind: Literal["image", "chat"]
    at: float
    side: int
    overtaken_seconds: float = 0.0
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
    served: dict[tuple[str, str], Service] = {}
    while coming or waiting:
        while coming and coming[0].at <= now():
            waiting.append(coming.pop(0))
        if not waiting:
            await asyncio.sleep(coming[0].at - now())
            continue
        on_card = OnCard(image=card.resident, chat=card.holder in ("chat", "both"))
        choice = choose(
            _heads(waiting, pair), on_card=on_card, served=served, now=now(), bounds=BOUNDS, costs=_Costs(pair)
        )
        assert choice is not None
        row = next(one for one in waiting if one.seq == choice.seq)
        for passed in waiting:
            if passed.seq in choice.overtaken:
                passed.overtaken_seconds += choice.seconds
        waiting.remove(row)
        had = served.get(("c", row.owner), Service(at=now())).recent(now())
        served["c", row.owner] = Service(at=now(), seconds=had + choice.seconds)
        await (_picture(row, pair, card, gpu, catalogue) if row.kind == "image" else _turn(card, llm))
        row.done = now()


def _heads(waiting: Sequence[Asked], pair: Pair) -> list[Head]:
    """The first row of each person and kind, as the queue has it."""
    first: dict[tuple[str, str], Asked] = {}
    for row in waiting:
        first.setdefault((row.owner, row.kind), row)
    return [
        Head(
            seq=row.seq, client="c", owner=row.owner, kind=row.kind, created_at=row.at, work=row.side**2,
            overtaken_seconds=row.overtaken_seconds, model=pair.image if row.kind == "image" else pair.llm,
        )
        for row in first.values()
    ]  # fmt: skip


@dataclass(frozen=True)
class _Costs:
    """As they come out on this card."""

    pair: Pair

    def row(self, kind: str, model: str, work: float) -> float:
        return self.pair.costs.picture * work / 512**2 if kind == "image" else self.pair.costs.turn

    def load(self, kind: str, model: str) -> float:
        return self.pair.costs.image_warm if kind == "image" else self.pair.costs.llm


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
