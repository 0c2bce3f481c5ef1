"""What Ollama's models take of the card: by ``/api/ps`` where they are loaded, else by their file and context."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from ..card_use import CardUse, Wanted
from ..card_use import Loaded as AllLoaded
from ..chosen import Chosen
from ..records import Phase
from .loads import Loads
from .preload import Preload
from .wire import Loaded, find

MARGIN = 1024 * 2**20
"""Bytes that Ollama leaves free beside a model; with less it leaves layers to the processor, without a word."""
FILE_FACTOR = 1.1
"""Weights on the card to the file."""
TOKEN_BYTES = 150_000
"""Of the context, for each token: a model of 7 to 8 billion parameters takes 131 kB, smaller ones less."""
COMPUTE_BYTES = 300_000_000


def estimate(file_bytes: int, context: int) -> int:
    """What a model takes that was never measured. Rather too much: what does not fit is found out by a load too many,
    and what does is measured with its first turn."""
    return int(file_bytes * FILE_FACTOR) + context * TOKEN_BYTES + COMPUTE_BYTES


class OllamaCard:
    """A `CardModels`. ``choose``: the model of a turn with its options."""

    def __init__(
        self,
        *,
        loaded: Callable[[], Awaitable[Sequence[Loaded]]],
        choose: Callable[[str | None], Awaitable[Chosen]],
        loads: Loads,
        preload: Preload,
    ) -> None:
        self._loaded = loaded
        self._choose = choose
        self._loads = loads
        self._preload = preload

    async def loaded(self) -> AllLoaded:
        return AllLoaded(models=[_use(entry) for entry in await self._loaded()], loading=self._loads.running)

    async def wanted(self, model: str | None) -> Wanted:
        chosen = await self._choose(model)
        entry = find(await self._loaded(), chosen.name, chosen.digest)
        serves = entry is not None and self._preload.serves(chosen, entry)
        size = chosen.model.size if chosen.model is not None else 0
        return Wanted(
            name=chosen.name,
            key=_key(chosen.digest or chosen.name, chosen.options.num_ctx),
            estimate=estimate(size, chosen.options.num_ctx),
            margin=MARGIN,
            loaded=_use(entry) if entry is not None and serves else None,
            replaces=entry.size_vram if entry is not None and not serves else 0,
            loading=self._loads.running,
            elsewhere=chosen.model is not None and chosen.model.remote,
        )

    async def load(self, model: str | None, on_phase: Callable[[Phase], None]) -> CardUse | None:
        chosen = await self._choose(model)
        on_phase("loading")
        entry = await self._preload.load(chosen)
        return None if entry is None else _use(entry)


def _use(entry: Loaded) -> CardUse:
    return CardUse(
        name=entry.name or entry.digest[:12],
        key=_key(entry.digest or entry.name, entry.context or 0),
        size=entry.size,
        on_card=entry.size_vram,
    )


def _key(file: str, context: int) -> str:
    return f"{file}@{context}"
