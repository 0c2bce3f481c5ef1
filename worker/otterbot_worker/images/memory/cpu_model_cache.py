"""Models that are off the device but still in the computer's memory: switching back to one reads no file."""

from __future__ import annotations

import gc

from ...memory.placement import Plan
from ...models.entries import ModelEntry
from ..load.loaded import Loaded
from . import placing


def serves(loaded: Loaded, entry: ModelEntry, plan: Plan) -> bool:
    """Whether ``loaded`` is that model and fits the plan: quantised weights cannot be restored."""
    return loaded.entry == entry and loaded.plan.quantised == plan.quantised


class CpuModelCache:
    """Owned by the engine. The least recently used goes first; all go with ``clear`` or the process."""

    def __init__(self) -> None:
        self._kept: list[Loaded] = []
        """Least recently used first."""

    @property
    def held(self) -> int:
        """Bytes of all cached models."""
        return sum(placing.weight_bytes(one.pipes) for one in self._kept)

    @property
    def names(self) -> list[str]:
        return [one.entry.name for one in self._kept]

    def has(self, entry: ModelEntry, plan: Plan) -> bool:
        return any(serves(one, entry, plan) for one in self._kept)

    def put(self, loaded: Loaded) -> None:
        """Add a model that lies in the computer's memory, without hooks."""
        self._kept = [*(one for one in self._kept if one.entry.name != loaded.entry.name), loaded]

    def take(self, entry: ModelEntry, plan: Plan) -> Loaded | None:
        """Remove a model from the cache and return it. One of the same name that does not fit is dropped, since it will
        be loaded anew."""
        found = next((one for one in self._kept if serves(one, entry, plan)), None)
        others = [one for one in self._kept if one.entry.name != entry.name]
        passed_by = len(others) + (found is not None) < len(self._kept)
        self._kept = others
        if passed_by:
            gc.collect()
        return found

    def shrink(self, needed: int, available: int, *, but: ModelEntry | None = None) -> bool:
        """Drop models until ``needed`` bytes are available; ``False`` where that is not enough. ``but``: is kept."""
        stays = []
        for one in self._kept:
            if available >= needed or one.entry == but:
                stays.append(one)
            else:
                available += placing.weight_bytes(one.pipes)
        if len(stays) < len(self._kept):
            self._kept = stays
            del one
            gc.collect()  # hooks and modules are reference cycles
        return available >= needed

    def clear(self) -> None:
        self._kept.clear()
