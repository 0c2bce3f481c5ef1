"""Notes that each room gets once about its chat backend: that the model is tiny, or that another backend answers
now."""

from __future__ import annotations

import hashlib

from ..chat import ChatBackend
from ..queue.disk import forgone
from ..queue.model import StoredJob
from ..queue.store import Store

KEPT = "chat_introductions"
MOST = 2_000
"""Rooms that are remembered; the longest unused ones are forgotten first."""


class Introductions:
    """Remembers rooms by digests, so that the database holds no room ids."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rooms: dict[str, str] | None = None

    async def of(self, job: StoredJob, backend: ChatBackend, model: str) -> list[str]:
        """Notes for an answer in the job's room."""
        rooms = await self._known()
        room = hashlib.sha256(f"{job.client} {job.room}".encode("utf-8", "replace")).hexdigest()[:32]
        about = backend.about
        before, now = rooms.pop(room, None), f"{backend.name}: {about}" if about is not None else backend.name
        rooms[room] = now
        if before == now:
            return []
        while len(rooms) > MOST:
            del rooms[next(iter(rooms))]
        with forgone():
            await self._store.set_meta(KEPT, rooms)
        if about is not None:
            return [about]
        return [] if before is None else [f"From here on {backend.name} answers, with {model}."]

    async def _known(self) -> dict[str, str]:
        if self._rooms is None:
            kept = await self._store.meta(KEPT)
            pairs = kept.items() if isinstance(kept, dict) else ()
            self._rooms = {str(room): str(said) for room, said in pairs}
        return self._rooms
