"""What holds in a room: its own setting, else the instance's, else the worker's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .config import Config
    from .store import Store

MODEL = "model"


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

    def default_model(self) -> Chosen:
        """What draws in rooms that have not chosen."""
        name = self._config.current.model
        return Chosen(name=name, source="instance" if name else "worker")
