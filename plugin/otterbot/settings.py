"""What holds in a room: its own setting, else the instance's, else the worker's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .config import Config
    from .store import Store

MODEL = "model"
SAFE = "safe"


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A model's name and who chose it; ``None`` leaves it to the worker."""

    name: str | None
    source: Literal["room", "instance", "worker"]


class RoomSettings:
    """Reads; commands change settings through their :class:`~.outcome.Outcome`."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config

    async def model(self, room: str) -> Chosen:
        if (own := await self._store.room_setting(room, MODEL)) is not None:
            return Chosen(name=own, source="room")
        return self.default_model()

    async def safe(self, room: str) -> bool:
        """Whether a safety checker has to look at the room's pictures."""
        own = await self._store.room_setting(room, SAFE)
        return self._config.current.draw.safe if own is None else own == "on"

    def default_model(self) -> Chosen:
        """What draws in rooms that have not chosen."""
        name = self._config.current.model
        return Chosen(name=name, source="instance" if name else "worker")
