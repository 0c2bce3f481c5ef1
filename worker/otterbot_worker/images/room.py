"""Room for one picture: the plan to begin with, and what follows when memory does not suffice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..errors import JobFailed
from ..gpu import planning
from ..gpu.facts import BYTES, DeviceFacts, Precision
from ..gpu.messages import Draw
from ..inputs import tiles
from ..models.entries import ModelEntry
from ..models.estimates import Needs, needs_of, steered


@dataclass(kw_only=True)
class Room:
    """For the time of one picture. Each plan is tried at most once."""

    entry: ModelEntry
    width: int
    height: int
    available: int
    """Bytes of the device before anything of this model was on it."""
    ram_available: int
    ram_needed: int
    """Of the computer's memory, to load it in the first place."""
    precision: Precision
    plan: planning.Plan
    left: list[planning.Plan]
    failed: list[planning.Lesson] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """What people should know of it, once the picture is drawn."""
        said = [self.precision.note] if self.precision.note else []
        if self.failed:
            said.append(f"Drawn with {self.plan.words}; {self._too_large}.")
        elif self.plan.quantised:
            said.append(
                f"Drawn with {self.plan.words}: the free {_gb(self.available)} of the card and "
                f"{_gb(self.ram_available)} of the computer's memory allow nothing better."
            )
        return said

    def fall_back(self) -> bool:
        """Learn that memory did not suffice and turn to the next plan; ``False`` where none is left."""
        pixels = self.width * self.height
        self.failed.append(planning.Lesson(plan=self.plan.name, pixels=pixels, available=self.available))
        if not self.left:
            return False
        self.plan = self.left.pop(0)
        return True

    def refusal(self) -> JobFailed:
        """After the last plan."""
        return JobFailed(
            "out_of_memory",
            f"{self.width}x{self.height} with {self.entry.name} needs more memory than the free {_gb(self.available)}. "
            "A smaller size or model may fit.",
            {
                "free_bytes": self.available,
                "width": self.width,
                "height": self.height,
                "model": self.entry.name,
                "plans": [lesson.plan for lesson in self.failed],
            },
        )

    @property
    def _too_large(self) -> str:
        return f"{self.width}x{self.height} was too large for the free {_gb(self.available)}"


class Rooms:
    """Plans for pictures, from what is free and what was learned. Lives as long as the process; what it learns leaves
    with each picture as well, because the process does not live for ever."""

    def __init__(self, *, reserve: int, ram_reserve: int) -> None:
        self._reserve = reserve
        self._ram_reserve = ram_reserve
        self._lessons: dict[str, tuple[planning.Lesson, ...]] = {}
        self._needs: tuple[ModelEntry, Needs] | None = None

    def begin(self, entry: ModelEntry, task: Draw, facts: DeviceFacts) -> Room:
        """``facts``: measured now, with what the model itself has on the device counted as available."""
        needs = steered(self._needs_of(entry), task.control)
        self.learn(entry, planning.lessons_from(task.lessons))
        precision = facts.precision(wants_bf16=entry.abilities.bf16)
        plans = planning.chain(facts.kind, needs)
        width, height = tiles.largest(vars(task))
        choice = planning.choose(
            needs,
            facts,
            width * height,
            precision=precision,
            reserve=self._reserve,
            ram_reserve=self._ram_reserve,
            lessons=self._lessons.get(entry.name, ()),
            plans=plans,
        )
        return Room(
            entry=entry,
            width=width,
            height=height,
            available=facts.available,
            ram_available=facts.ram_available,
            ram_needed=choice.estimate.card if facts.kind == "cpu" else needs.weights(BYTES[precision.storage]),
            precision=precision,
            plan=choice.plan,
            left=list(plans[plans.index(choice.plan) + 1 :]),
        )

    def learn(self, entry: ModelEntry, lessons: Iterable[planning.Lesson]) -> None:
        self._lessons[entry.name] = planning.learn(self._lessons.get(entry.name, ()), lessons)

    def _needs_of(self, entry: ModelEntry) -> Needs:
        if self._needs is None or self._needs[0] != entry:
            self._needs = (entry, needs_of(entry))
        return self._needs[1]


def describe(lessons: Iterable[planning.Lesson]) -> list[dict[str, Any]]:
    """As messages carry them."""
    return [lesson.as_dict() for lesson in lessons]


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
