"""A model in memory with its options, on the card as a whole if that can be had."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from ..chosen import Chosen
from ..records import Phase, Unloaded
from .loads import Loads
from .settings import OllamaSettings
from .wire import Loaded, find, fixed_body

RELOAD_WAIT = 20.0


class Preload:
    def __init__(
        self,
        loads: Loads,
        settings: OllamaSettings,
        *,
        loaded: Callable[[], Awaitable[Sequence[Loaded]]],
        unload: Callable[[float], Awaitable[Unloaded]],
        log: logging.Logger,
    ) -> None:
        self._loads = loads
        self._settings = settings
        self._loaded = loaded
        self._unload = unload
        self._log = log
        self._given: dict[tuple[str, int], int | None] = {}
        """The context that a model got, by its key and what was asked for: the server may not honour that."""

    async def in_memory(self, chosen: Chosen) -> Loaded | None:
        return find(await self._loaded(), chosen.name, chosen.digest)

    def serves(self, chosen: Chosen, entry: Loaded) -> bool:
        """Whether what is in memory is that model with its context, or with the one that it got instead."""
        given = self._given.get((chosen.key, chosen.options.num_ctx))
        return entry.context in (None, chosen.options.num_ctx, given)

    async def load(self, chosen: Chosen) -> Loaded | None:
        """Waits for its load; what is in memory then. :raises JobFailed:"""
        await self._loads.loaded(fixed_body(chosen, self._settings.keep_alive))
        entry = await self.in_memory(chosen)
        self._given[chosen.key, chosen.options.num_ctx] = entry.context if entry is not None else None
        return entry

    async def ready(self, chosen: Chosen, on_phase: Callable[[Phase], None]) -> list[str]:
        """Waits for the model, however long it loads; says what could not be had.

        Leaving it leaves the load alone, which goes on for whoever asks next.
        """
        entry = await self.in_memory(chosen)
        if entry is not None and self.serves(chosen, entry):
            self._note_context(chosen, entry)
            on_phase("thinking")
            return []
        on_phase("loading")
        entry = await self.load(chosen)
        spilled = self._settings.on_gpu and entry is not None and 0 < entry.size_vram < entry.size
        # Ollama places layers by what is free at that moment, and never moves them: once more, with the card empty.
        if spilled and (await self._unload(RELOAD_WAIT)).gone:
            entry = await self.load(chosen)
        on_phase("thinking")
        if entry is None:
            return []
        self._note_context(chosen, entry)
        if not self._settings.on_gpu or entry.size_vram >= entry.size:
            return []
        self._log.warning("%s does not fit on the card: %d of %d bytes", chosen.name, entry.size_vram, entry.size)
        share = min(99, round(100 * entry.size_vram / entry.size))
        return [f"Only {share} % of the chat model fit on the card, so it answers slowly."]

    @staticmethod
    def _note_context(chosen: Chosen, entry: Loaded) -> None:
        if entry.context is not None:
            chosen.context = min(chosen.context, entry.context)
