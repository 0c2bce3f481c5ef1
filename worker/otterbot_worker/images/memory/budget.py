"""The memory budget of one picture: the first plan, and the next ones when memory runs out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from ...errors import CROWDED, CannotLook, JobFailed, look_failed
from ...gpu.messages import Draw
from ...memory import oom_history, peaks, placement
from ...memory.device_info import BYTES, DeviceInfo, Precision
from ...memory.oom_history import OutOfMemory
from ...memory.peaks import Peak
from ...models.entries import ModelEntry
from ...models.estimates import Needs, needs_of, steered, with_loras
from ...sampling import tiles

ATTENTION_MATTERS = 500_000_000
"""From so many extra bytes for attention scores on ("math" kernel) a note says so."""


@dataclass(kw_only=True)
class MemoryBudget:
    """One picture's budget. Each plan is tried at most once."""

    entry: ModelEntry
    width: int
    height: int
    needs: Needs
    counted: bool
    """Whether ``needs`` is all that it needs. Else running out of memory says nothing of other pictures."""
    facts: DeviceInfo
    """The device's state before anything of this model was on it."""
    precision: Precision
    reserve: int
    ram_reserve: int
    oom_history: tuple[OutOfMemory, ...]
    """The model's, as of before this picture."""
    beside: int = 0
    """Bytes of the card that language models have, and would leave."""
    peaks: tuple[Peak, ...] = ()
    """What pictures of this model took."""
    choice: placement.Choice = field(init=False)
    tried: list[placement.Plan] = field(default_factory=list)
    ooms: list[OutOfMemory] = field(default_factory=list)
    """What ran out of memory since."""

    def __post_init__(self) -> None:
        self.choice = self._choose(self.facts)

    @property
    def plan(self) -> placement.Plan:
        return self.choice.plan

    @property
    def ram_needed(self) -> int:
        """Bytes of the computer's memory for loading the model."""
        if self.facts.kind == "cpu":
            return self.choice.estimate.card
        return self.needs.weights(BYTES[self.precision.storage], BYTES[self.precision.compute])

    @property
    def notes(self) -> list[str]:
        """Notes for people on the plan, once the picture is drawn."""
        said = [self.precision.note] if self.precision.note else []
        if self.tried:
            said.append(f"Drawn with {self.plan.words}; {self._too_large}.")
        elif self.plan.quantised:
            said.append(
                f"Drawn with {self.plan.words}: the free {_gb(self.facts.available)} of the card and "
                f"{_gb(self.facts.ram_available)} of the computer's memory allow nothing better."
            )
        elif self.plan.tiled and self.width * self.height > placement.TILE_PIXELS:
            said.append(
                f"Decoded in tiles, as the card had {_gb(self.facts.available)} free; with more, pixels along them "
                "would differ slightly."
            )
        if (more := self._attention_bytes()) >= ATTENTION_MATTERS:
            said.append(
                f"Attention took {_gb(more)} more memory than it needs, and more time: the installed PyTorch has no "
                "kernel for it on this card (`otterbot-worker doctor` says more)."
            )
        return said

    def fall_back(self) -> bool:
        """Record that memory ran out and choose the next plan; ``False`` where none is left that could fit."""
        self.tried.append(self.plan)
        if self.counted:
            card = self.choice.estimate.card
            self.ooms.append(OutOfMemory(plan=self.plan.name, card=card, available=self.facts.available))
        pixels = self.width * self.height
        left = placement.hopeful(
            self.needs, self.facts, pixels, precision=self.precision, tried=self.tried, oom_history=self.oom_history
        )
        if left:
            self.choice = self._choose(self.facts, left)
        return bool(left)

    def crowded(self) -> JobFailed | None:
        """Why the picture wants the card alone; ``None`` where there is nobody else, or where it is drawn beside them
        as it would be alone: with the same plan, which fits by what pictures took before. A picture is never drawn
        more slowly so that a language model can stay."""
        if not self.beside:
            return None
        alone = self._choose(replace(self.facts, available=min(self.facts.total, self.facts.available + self.beside)))
        need = peaks.needed(self.peaks, alone.plan.name, alone.estimate.card)
        fits = self.choice.fits and need + self.reserve <= self.facts.available
        if self.choice.plan == alone.plan and fits:
            return None
        return self._wants_it_alone(need, spent=False)

    def ran_out_beside(self) -> JobFailed:
        """Memory did not suffice beside a language model. No OOM is recorded: without it, the plan may fit."""
        return self._wants_it_alone(self.choice.estimate.card, spent=True)

    def _wants_it_alone(self, need: int, *, spent: bool) -> JobFailed:
        free = self.facts.available
        sentence = (
            f"{self.width}x{self.height} with {self.entry.name} needs {_gb(need)} of the card and a reserve of "
            f"{_gb(self.reserve)}, and {_gb(free)} are left beside the language model."
        )
        return JobFailed(CROWDED, sentence, {"spent": spent, "needed": need, "free": free})

    def peak(self, measured: int | None) -> Peak | None:
        """What the picture took, to be remembered."""
        if measured is None or not self.counted:
            return None
        return Peak(plan=self.plan.name, card=self.choice.estimate.card, measured=measured)

    def _choose(self, facts: DeviceInfo, plans: Sequence[placement.Plan] | None = None) -> placement.Choice:
        """Choose among ``plans``; by default all for the device and the model."""
        return placement.choose(
            self.needs,
            facts,
            self.width * self.height,
            precision=self.precision,
            reserve=self.reserve,
            ram_reserve=self.ram_reserve,
            oom_history=self.oom_history,
            plans=plans,
        )

    def refusal(self) -> JobFailed:
        """The failure after the last plan."""
        free = self.facts.available
        return JobFailed(
            "out_of_memory",
            f"{self.width}x{self.height} with {self.entry.name} needs more memory than the free {_gb(free)}. "
            "A smaller size or model may fit.",
            {
                "free_bytes": free,
                "width": self.width,
                "height": self.height,
                "model": self.entry.name,
                "plans": [plan.name for plan in self.tried],
            },
        )

    @property
    def _too_large(self) -> str:
        return f"{self.width}x{self.height} was too large for the free {_gb(self.facts.available)}"

    def _attention_bytes(self) -> int:
        """Extra bytes of attention where the card has only the "math" kernel."""
        if self.facts.kind != "cuda" or not self.facts.math_only:
            return 0
        written, spared = (
            placement.estimate(self.needs, self.plan, self.width * self.height, self.precision, math_only=only).card
            for only in (True, False)
        )
        return written - spared


class MemoryBudgets:
    """Makes a budget for each picture, from the free memory and the model's OOM history. Lives as long as the process;
    what runs out of memory is sent with each picture as well, because the database outlives the process."""

    def __init__(self, *, reserve: int, ram_reserve: int) -> None:
        self._reserve = reserve
        self._ram_reserve = ram_reserve
        self._oom_history: dict[str, tuple[OutOfMemory, ...]] = {}
        self._needs: tuple[ModelEntry, Needs] | None = None

    def begin(self, entry: ModelEntry, task: Draw, facts: DeviceInfo) -> MemoryBudget:
        """``facts``: measured now, with what the model itself has on the device counted as available."""
        needs = with_loras(steered(self._needs_of(entry), task.control), task.loras)
        self.remember(entry, task.oom_history)
        precision = facts.precision(wants_bf16=entry.abilities.bf16)
        width, height = tiles.largest(task)
        return MemoryBudget(
            entry=entry,
            width=width,
            height=height,
            needs=needs,
            counted=task.control is None or task.control.scale == 0 or needs.steering is not None,
            facts=facts,
            precision=precision,
            reserve=self._reserve,
            ram_reserve=self._ram_reserve,
            oom_history=self._oom_history[entry.name],
            beside=task.beside,
            peaks=task.peaks,
        )

    def remember(self, entry: ModelEntry, new: Iterable[OutOfMemory]) -> None:
        """Add to the model's OOM history."""
        self._oom_history[entry.name] = oom_history.merged(self._oom_history.get(entry.name, ()), new)

    def _needs_of(self, entry: ModelEntry) -> Needs:
        """The model's needs. Broken files only fail this picture. :raises JobFailed: :raises CannotLook:"""
        if self._needs is None or self._needs[0] != entry:
            try:
                self._needs = (entry, needs_of(entry))
            except CannotLook:
                raise
            except Exception as error:
                look_failed(error, f"a file of {entry.name}")
                sentence = f"The model {entry.name} is broken: its files do not say what it needs."
                raise JobFailed("model_broken", sentence, {"error": type(error).__name__}) from None
        return self._needs[1]


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
