"""What no schedule can reach beside a hog: the least that its neighbours wait if its last picture is not to be late.

    PYTHONPATH=worker python benchmarks/schedule_bounds.py [--use 0.53] [--seed 0] [--cases 3] [--late 1.3 1.6 2.0]

Somebody asks for forty pictures at once, five others go on for twenty minutes (``schedule_simulation.hog``). All orders
are tried, by one who knows beforehand who will ask for what and when, with every order that cannot be the best one left
out: rows of one model are served as they came, a state that is later and dearer than another one is dropped, and so is
what costs more than an order that was found before, even if everything left were free of loads. So these are true
bounds, and a schedule that does not know the future stays above them.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import schedule_simulation as simulation
from schedule_simulation import LLM_LOAD, LOAD, PICTURE, Asked

ROW = PICTURE
HOG = "model 0"
BEAM = 300
"""States of each length that are followed to find an order that is good."""
Label = tuple[float, float]
"""When it is done, and what neighbours have waited together."""
State = tuple[tuple[int, ...], int, int]
"""Rows of each model that neighbours have had, pictures of the hog, and the model that is loaded."""


@dataclass(kw_only=True)
class Case:
    """Who asks while a hog waits. ``asked[m]``: when neighbours ask for model ``m``, the hog's being the first."""

    models: list[str]
    asked: list[list[float]]
    pictures: int
    latest: float
    """Until when the hog's last picture has to be there, in seconds after it asked."""
    _left: dict[tuple[int, ...], list[float]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(map(len, self.asked)) + self.pictures

    def load(self, model: int) -> float:
        return LLM_LOAD if self.models[model] == simulation.CHAT else LOAD

    def least(self, label: Label, had: tuple[int, ...]) -> float:
        """What neighbours will have waited at least: if all that is left came as it was asked for, without a load."""
        if had not in self._left:
            self._left[had] = sorted(at for times, count in zip(self.asked, had, strict=True) for at in times[count:])
        now, cost = label
        for at in self._left[had]:
            now = max(now, at) + ROW
            cost += now - at
        return cost

    def next(self, state: State, label: Label) -> Iterator[tuple[State, Label]]:
        had, drawn, loaded = state
        now, cost = label
        for model, times in enumerate(self.asked):
            load = 0.0 if model == loaded else self.load(model)
            if had[model] < len(times):
                at = times[had[model]]
                done = max(now, at) + load + ROW
                after = (*had[:model], had[model] + 1, *had[model + 1 :])
                if self._in_time(done, drawn, model):
                    yield (after, drawn, model), (done, cost + done - at)
            if model == 0 and drawn < self.pictures and self._in_time(now + load + ROW, drawn + 1, model):
                yield (had, drawn + 1, 0), (now + load + ROW, cost)

    def _in_time(self, now: float, drawn: int, loaded: int) -> bool:
        left = self.pictures - drawn
        return not left or now + left * ROW + (LOAD if loaded else 0.0) <= self.latest


def best(case: Case, *, most: float, beam: int | None = None) -> float | None:
    """The least that neighbours wait together; ``None``: more than ``most``, or the hog is late in any case."""
    layer: dict[State, list[Label]] = {((0,) * len(case.asked), 0, -1): [(0.0, 0.0)]}
    for _ in range(case.rows):
        following: dict[State, list[Label]] = {}
        for state, labels in layer.items():
            for label in labels:
                for after, found in case.next(state, label):
                    _keep(following.setdefault(after, []), found)
        layer = _pruned(case, following, most, beam)
    costs = [label[1] for labels in layer.values() for label in labels]
    return min(costs, default=None)


def _keep(labels: list[Label], new: Label) -> None:
    """Add one that is not both later and dearer than another one, and drop those that are than it."""
    if any(one[0] <= new[0] and one[1] <= new[1] for one in labels):
        return
    labels[:] = [one for one in labels if one[0] < new[0] or one[1] < new[1]]
    labels.append(new)


def _pruned(case: Case, layer: dict[State, list[Label]], most: float, beam: int | None) -> dict[State, list[Label]]:
    valued = [
        (value, state, label)
        for state, labels in layer.items()
        for label in labels
        if (value := case.least(label, state[0])) <= most
    ]
    if beam is not None:
        valued = heapq.nsmallest(beam, valued)
    kept: dict[State, list[Label]] = {}
    for _, state, label in valued:
        kept.setdefault(state, []).append(label)
    return kept


def episodes(asked: Sequence[Asked], late: float, worst: float) -> Iterator[tuple[Case, set[float]]]:
    """Each hog with its neighbours, and when those asked."""
    for name in dict.fromkeys(row.owner for row in asked if row.owner.startswith("hog")):
        began = min(row.at for row in asked if row.owner == name)
        mine = [row for row in asked if row.owner == name]
        near = [row for row in asked if not row.owner.startswith("hog") and began <= row.at < began + 7200]
        models = [HOG, *sorted({row.model for row in near} - {HOG})]
        times = [sorted(row.at - began for row in near if row.model == model) for model in models]
        case = Case(models=models, asked=times, pictures=len(mine), latest=late * worst)
        yield case, {row.at for row in near}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--use", type=float, default=0.53, choices=simulation.USES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=3)
    parser.add_argument("--late", type=float, nargs="+", default=[1.3, 1.6, 2.0])
    options = parser.parse_args()
    make, rates = simulation.SCENES["a hog of 40 beside 5"]
    asked = make(random.Random(options.seed), rates[simulation.USES.index(options.use)])
    fifo, ours = (
        simulation.run(asked, how, lanes=1, together=False) for how in (simulation.first_come, simulation.Ours())
    )
    for late in options.late:
        bases, bounds, own = [], [], []
        for case, times in itertools.islice(episodes(asked, late, fifo.worst), options.cases):
            base, mine = (sum(row.wait for row in one.rows if row.at in times) for one in (fifo, ours))
            good = best(case, most=float("inf"), beam=BEAM)
            least = None if good is None else best(case, most=good + 1e-6)
            assert least is not None, "the hog is late in any order"
            bases.append(base)
            bounds.append(least)
            own.append(mine)
        print(
            f"{options.use:.0%}, the hog's last picture at most {late:g} times as late: its neighbours wait at least "
            f"{sum(bounds) / sum(bases):.2f} of first come, first served (ours {sum(own) / sum(bases):.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
