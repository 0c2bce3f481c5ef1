"""What the schedule is worth: who waits how long, beside first come, first served.

    PYTHONPATH=worker python benchmarks/schedule_simulation.py [--seeds 8] [--lanes 1] [--together]
        [--people 2000 [--hours 2]]

Real is `choose`; not real are the clock, the cards, and how long things take (the constants below). Every number is a
share of what plain first come, first served has with the same rows: the mean wait from asking until it is there, of all
rows and of people, that of chats, of pictures and of the hog's own, the longest one of anybody, and what loads there
are. ``small cases`` compare with the best of all orders; what no schedule can reach is in ``schedule_bounds.py``.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from otterbot_worker.queue.heads import Head, Service
from otterbot_worker.queue.schedule import Bounds, OnCard, Other, choose

BOUNDS = Bounds(picture=120.0, talk=40.0)
"""As ``queue`` has them in the settings."""
PICTURE = TURN = 12.0
LOAD, LLM_LOAD = 20.0, 10.0
HOURS = 8
CHAT = "llm"
"""The model of turns."""
USES = (0.53, 0.69, 0.81)
"""Shares of the time in which the card is busy, first come, first served."""


@dataclass(kw_only=True)
class Asked:
    """A row. Seconds."""

    seq: int
    owner: str
    model: str
    at: float
    overtaken: float = 0.0
    done: float = 0.0

    @property
    def chat(self) -> bool:
        return self.model == CHAT

    @property
    def wait(self) -> float:
        return self.done - self.at


class Costs:
    def row(self, kind: str, model: str, work: float) -> float:
        return PICTURE if kind == "image" else TURN

    def load(self, kind: str, model: str) -> float:
        return LOAD if kind == "image" else LLM_LOAD


# ---------------------------------------------------------------- what people ask for


def people(chance: random.Random, rate: float, *, count: int, chats: float, hours: float = HOURS) -> list[Asked]:
    """Rows at random moments, ``rate`` a second, of four models and of chats."""
    found, now = list[Asked](), 0.0
    while (now := now + chance.expovariate(rate)) < hours * 3600:
        found.append(_row(chance, now, count, chats))
    return found


def _row(chance: random.Random, at: float, count: int, chats: float) -> Asked:
    model = CHAT if chance.random() < chats else f"model {chance.randrange(4)}"
    return Asked(seq=0, owner=f"person {chance.randrange(count)}", model=model, at=at)


def household(chance: random.Random, rate: float) -> list[Asked]:
    return people(chance, rate, count=6, chats=0.25)


def crowd(count: int, hours: float) -> Callable[[random.Random, float], list[Asked]]:
    """So many people, and pictures only: with many cards language models have machines of their own."""
    return lambda chance, rate: people(chance, rate, count=count, chats=0.0, hours=hours)


def talkative(chance: random.Random, rate: float) -> list[Asked]:
    return people(chance, rate, count=6, chats=0.7)


def party(chance: random.Random, rate: float) -> list[Asked]:
    """Twelve people who ask in bursts of one to seven within a minute."""
    found, now = list[Asked](), 0.0
    while (now := now + chance.expovariate(rate / 4)) < HOURS * 3600:
        found += [_row(chance, now + chance.uniform(0, 60), 12, 0.25) for _ in range(chance.randint(1, 7))]
    return found


def hog(chance: random.Random, rate: float) -> list[Asked]:
    """Every two hours somebody asks for forty pictures at once; five others go on for the next twenty minutes."""
    found = list[Asked]()
    for hour in range(0, 24, 2):
        found += [Asked(seq=0, owner=f"hog {hour}", model="model 0", at=hour * 3600 + k / 1000) for k in range(40)]
        others = people(chance, rate * 5 / 6, count=5, chats=0.25, hours=1 / 3)
        found += [replace(row, at=row.at + hour * 3600) for row in others]
    return found


Scenes = dict[str, tuple[Callable[[random.Random, float], list[Asked]], tuple[float, float, float]]]
SCENES: Scenes = {
    "household, 6 people": (household, (0.0200, 0.0265, 0.0315)),
    "party, 12 people": (party, (0.0212, 0.0272, 0.0320)),
    "7 of 10 are chats": (talkative, (0.0275, 0.0355, 0.0415)),
    "a hog of 40 beside 5": (hog, (0.0200, 0.0260, 0.0310)),
}
"""With the rates, in rows a second, that make the three uses of the card with one lane; those of the hog are the
household's."""


# ---------------------------------------------------------------- a run


@dataclass(kw_only=True)
class Lane:
    """A card; language models share the first one only."""

    first: bool = True
    free_at: float = 0.0
    done_at: float = 0.0
    """When it is through with its row; ``free_at`` is later where it waits for something to change."""
    image: str | None = None
    llm: bool = False


Policy = Callable[[list[Asked], Lane, list[Lane], float], Asked | None]
"""Of what waits, for a lane beside the others, at a moment; ``None``: all is left to the others."""


@dataclass(kw_only=True)
class Run:
    rows: list[Asked]
    loads: int = 0
    busy: float = 0.0
    end: float = 0.0

    def wait(self, which: Callable[[Asked], bool] = lambda _: True) -> float:
        return statistics.fmean([row.wait for row in self.rows if which(row)] or [0.0])

    @property
    def worst(self) -> float:
        return max(row.wait for row in self.rows)

    def by_person(self) -> float:
        """The mean of what each person waits on average: forty pictures of one are one."""
        waits: dict[str, list[float]] = {}
        for row in self.rows:
            waits.setdefault(row.owner, []).append(row.wait)
        return statistics.fmean(statistics.fmean(one) for one in waits.values())


def run(asked: Sequence[Asked], policy: Policy, *, lanes: int, together: bool) -> Run:
    """``together``: the language model fits beside the image models."""
    rows = [replace(row, seq=number) for number, row in enumerate(sorted(asked, key=lambda row: row.at))]
    done, coming, waiting = Run(rows=rows), list(rows), list[Asked]()
    places = [Lane(first=number == 0) for number in range(lanes)]
    now = 0.0
    while coming or waiting:
        lane = min(places, key=lambda one: one.free_at)
        # An idle lane was free long ago: it takes nothing before it was asked for.
        now = max(now, lane.free_at, 0.0 if waiting else coming[0].at)
        lane.free_at = now
        while coming and coming[0].at <= now:
            waiting.append(coming.pop(0))
        possible = [row for row in waiting if lane.first or not row.chat]
        others = [one for one in places if one is not lane]
        row = policy(possible, lane, others, now) if possible else None
        if row is None:
            # Nothing changes until somebody else is done, or asks.
            moments = [one.done_at for one in others if one.done_at > now] + [row.at for row in coming[:1]]
            lane.free_at = min(moments, default=now) + 1e-6
            continue
        waiting.remove(row)
        load = _take(lane, row, together=together)
        row.done = lane.free_at = lane.done_at = now + load + (TURN if row.chat else PICTURE)
        done.loads += load > 0
        done.busy += row.done - now
        done.end = max(done.end, row.done)
    return done


def _take(lane: Lane, row: Asked, *, together: bool) -> float:
    """Seconds of the load; others leave the card for it."""
    if row.chat:
        load = 0.0 if lane.llm else LLM_LOAD
        lane.llm, lane.image = True, lane.image if together else None
        return load
    load = 0.0 if lane.image == row.model else LOAD
    lane.image, lane.llm = row.model, lane.llm and together
    return load


# ---------------------------------------------------------------- policies


def first_come(waiting: list[Asked], lane: Lane, others: list[Lane], now: float) -> Asked:
    return waiting[0]


def shortest(waiting: list[Asked], lane: Lane, others: list[Lane], now: float) -> Asked:
    """Whatever is done first, its load included."""
    return min(waiting, key=lambda row: (not (lane.llm if row.chat else lane.image == row.model), row.seq))


def chats_first(waiting: list[Asked], lane: Lane, others: list[Lane], now: float) -> Asked:
    """What chats could have at best, if nobody minded pictures, and what was begun is finished."""
    return next((row for row in waiting if row.chat), None) or shortest(waiting, lane, others, now)


@dataclass(kw_only=True)
class Ours:
    served: dict[tuple[str, str], Service] = field(default_factory=dict)
    most: dict[bool, float] = field(default_factory=lambda: {True: 0.0, False: 0.0})
    """The longest by which a chat (true) or a picture was overtaken, in seconds of work."""

    def __call__(self, waiting: list[Asked], lane: Lane, others: list[Lane], now: float) -> Asked | None:
        first: dict[tuple[str, str], Asked] = {}
        alike = Counter((row.owner, row.model) for row in waiting)
        for row in waiting:
            first.setdefault((row.owner, row.model), row)
        heads = [
            Head(
                seq=row.seq, client="c", owner=row.owner, kind="chat" if row.chat else "image", model=row.model,
                work=1.0, created_at=row.at, count=alike[row.owner, row.model],
                overtaken_seconds=row.overtaken,
            )
            for row in first.values()
        ]  # fmt: skip
        choice = choose(
            heads, on_card=OnCard(image=lane.image, chat=lane.llm), served=self.served, now=now, bounds=BOUNDS,
            costs=Costs(), others=[_seen(one, now) for one in others],
        )  # fmt: skip
        if choice is None:
            return None
        by_seq = {row.seq: row for row in waiting}
        for seq in choice.overtaken:
            passed = by_seq[seq]
            passed.overtaken += choice.seconds
            self.most[passed.chat] = max(self.most[passed.chat], passed.overtaken)
        row = by_seq[choice.seq]
        had = self.served.get(("c", row.owner), Service(at=now)).recent(now)
        self.served["c", row.owner] = Service(at=now, seconds=had + choice.seconds)
        return row


def _seen(lane: Lane, now: float) -> Other:
    there = OnCard(image=lane.image, chat=lane.llm)
    skip = frozenset() if lane.first else frozenset({"chat"})
    return Other(free_in=max(0.0, lane.done_at - now), on_card=there, costs=Costs(), skip=skip)


# ---------------------------------------------------------------- tables


def line(scenes: Scenes, name: str, use: float, seeds: int, lanes: int, *, together: bool) -> str:
    make, rates = scenes[name]
    shares: dict[str, list[float]] = {}
    for seed in range(seeds):
        asked = make(random.Random(seed), rates[USES.index(use)] * lanes)
        ours = Ours()
        policies: tuple[Policy, ...] = (first_come, shortest, chats_first, ours)
        fifo, short, talk, mine = (run(asked, how, lanes=lanes, together=together) for how in policies)
        assert ours.most[True] <= BOUNDS.talk
        assert ours.most[False] <= BOUNDS.picture

        def share(label: str, of: Callable[[Run], float], ours: Run = mine, base: Run = fifo) -> None:
            shares.setdefault(label, []).append(of(ours) / (of(base) or 1.0))

        shares.setdefault("busy", []).append(fifo.busy / fifo.end / lanes)
        shares.setdefault("seconds", []).append(mine.wait())
        share("mean", lambda one: one.wait())
        share("of people", lambda one: one.by_person())
        share("chats", lambda one: one.wait(lambda row: row.chat))
        share("chats at best", lambda one: one.wait(lambda row: row.chat), talk)
        share("pictures", lambda one: one.wait(lambda row: not row.chat))
        share("others", lambda one: one.wait(lambda row: not row.owner.startswith("hog")))
        share("worst", lambda one: one.worst)
        share("loads", lambda one: one.loads)
        share("shortest: mean", lambda one: one.wait(), short)
        share("shortest: worst", lambda one: one.worst, short)
    cells = [f"{statistics.fmean(values):.2f}" for values in shares.values()]
    if name == next(iter(scenes)) and use == USES[0]:
        print("| " + " | ".join(["", "use", *shares]) + " |\n" + "|---" * (len(shares) + 2) + "|")
    return "| " + " | ".join([name, f"{use:.0%}", *cells]) + " |"


def small_cases(count: int, seeds: int) -> str:
    """Rows that all wait already: every order is tried."""
    ours_to_best, fifo_to_best = [], []
    for seed in range(seeds):
        chance = random.Random(seed)
        asked = [_row(chance, number / 1000, 4, 0.25) for number in range(count)]

        def mean(policy: Policy, asked: list[Asked] = asked) -> float:
            return run(asked, policy, lanes=1, together=False).wait()

        best = min(mean(_order(order)) for order in itertools.permutations(range(count)))
        ours_to_best.append(mean(Ours()) / best)
        fifo_to_best.append(mean(first_come) / best)
    return (
        f"{count} rows at once, {seeds} times: mean wait {statistics.fmean(ours_to_best):.2f} of the best order's "
        f"(at most {max(ours_to_best):.2f}); first come, first served {statistics.fmean(fifo_to_best):.2f}"
    )


def _order(order: Sequence[int]) -> Policy:
    rank = {seq: place for place, seq in enumerate(order)}
    return lambda waiting, lane, others, now: min(waiting, key=lambda row: rank[row.seq])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--lanes", type=int, default=1)
    parser.add_argument("--together", action="store_true", help="the language model fits beside the image models")
    parser.add_argument("--people", type=int, help="only so many people, with pictures alone")
    parser.add_argument("--hours", type=float, default=2.0, help="with --people")
    options = parser.parse_args()
    scenes = SCENES
    if options.people is not None:
        scenes = {f"{options.people} people": (crowd(options.people, options.hours), SCENES["household, 6 people"][1])}
    for name in scenes:
        for use in USES:
            print(line(scenes, name, use, options.seeds, options.lanes, together=options.together), flush=True)
    if options.people is None:
        print(small_cases(7, 24))


if __name__ == "__main__":
    main()
