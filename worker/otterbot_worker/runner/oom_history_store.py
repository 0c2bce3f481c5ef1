"""What the GPU process learned of memory, kept for the next one: it forgets everything when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..memory.oom_history import OutOfMemory, learn, lessons_from
from ..queue.disk import forgone
from ..queue.store import Store

LESSONS = "lessons"


class Lessons:
    """By model, in the database. Used by the pictures' runner alone."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, list[dict[str, Any]]] | None = None

    async def of(self, model: str) -> tuple[OutOfMemory, ...]:
        return lessons_from((await self._all()).get(model, []))

    async def add(self, model: str, new: Sequence[OutOfMemory]) -> None:
        """What a picture brought with it (``messages.Drawn.lessons``, ``Failed.lessons``). What is too old goes."""
        if not new:
            return
        known = await self._all()
        lessons = learn(lessons_from(known.get(model, [])), new)
        known[model] = [lesson.as_dict() for lesson in lessons]
        with forgone():
            await self._store.set_meta(LESSONS, known)

    async def _all(self) -> dict[str, list[dict[str, Any]]]:
        if self._known is None:
            stored = await self._store.meta(LESSONS)
            self._known = stored if isinstance(stored, dict) else {}
        return self._known
