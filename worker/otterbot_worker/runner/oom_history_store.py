"""The OOM history of each model in the database: the GPU process forgets its own when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from ..memory.oom_history import OutOfMemory, merged, read
from ..queue.disk import forgone
from ..queue.store import Store

NAME = "lessons"
"""In the table ``meta``. Databases of older workers have the history under this name."""


class OomHistory:
    """By model. Used by the pictures' runner of one card alone."""

    def __init__(self, store: Store, card: str = "") -> None:
        """``card``: its name, but for the first one."""
        self._store = store
        self._name = f"{NAME}/{card}" if card else NAME
        self._known: dict[str, tuple[OutOfMemory, ...]] | None = None

    async def of(self, model: str) -> tuple[OutOfMemory, ...]:
        return (await self._all()).get(model, ())

    async def add(self, model: str, new: Sequence[OutOfMemory]) -> None:
        """Store what ran out of memory while a picture was drawn (``Drawn.ooms``, ``Failed.ooms`` of
        ``gpu.messages``)."""
        if not new:
            return
        known = await self._all()
        known[model] = merged(known.get(model, ()), new)
        with forgone():
            stored = {name: [asdict(one) for one in ooms] for name, ooms in known.items()}
            await self._store.set_meta(self._name, stored)

    async def _all(self) -> dict[str, tuple[OutOfMemory, ...]]:
        if self._known is None:
            stored = await self._store.meta(self._name)
            self._known = {name: read(ooms) for name, ooms in stored.items()} if isinstance(stored, dict) else {}
        return self._known
