"""The context of a request: the instance's and the room's settings, looked up first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..config import Values
from ..errors import WorkerError
from ..language.style_values import StyleChoice, Styles
from ..worker.info import Models
from .room_defaults import RoomDefaults
from .room_settings import EXPAND, Chosen, RoomSettings
from .services import Services

BELIEVED = 300.0
"""Seconds for which the worker's list of models is believed."""
LOOK = 0.4
"""Seconds to wait for a fresh catalogue."""


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """The instance, and the room's model."""

    values: Values
    chosen: Chosen
    safe: bool = False
    """Whether a safety checker has to look at it."""
    expand: bool | None = None
    """Whether the room wants prompts to be expanded; ``None``: it has not chosen."""
    batch: str = "auto"
    """How several pictures of one request come, see ``draw.batch``."""
    described: bool = False
    """Whether it is to say what it shows."""
    watched: bool = False
    """Whether it is shown while it is drawn."""
    style: Styles | None = None
    """What the room's pictures look like where nobody says it; ``None``: it has not chosen."""
    styles: Mapping[str, StyleChoice] = field(default_factory=dict)
    """The room's own styles, by their folded names."""
    room: RoomDefaults = field(default_factory=RoomDefaults)
    """What the room has set for its pictures."""

    @property
    def sweep_max(self) -> int:
        """How many pictures a sweep may have."""
        most = self.values.limits.sweep
        return most if self.room.sweep_max is None else min(most, self.room.sweep_max)

    @property
    def count_max(self) -> int:
        """How many pictures one request may ask for: a room allows less than the instance, never more."""
        most = self.values.limits.count
        return most if self.room.count_max is None else min(most, self.room.count_max)


async def circumstances(services: Services, room: str) -> Circumstances:
    return await circumstances_in(room, services.settings, services.config.current)


async def circumstances_in(room: str, settings: RoomSettings, values: Values) -> Circumstances:
    expand = await settings.own(room, EXPAND)
    return Circumstances(
        values=values,
        chosen=await settings.model(room),
        safe=await settings.safe(room),
        expand=None if expand is None else expand == "on",
        batch=await settings.batch(room),
        described=await settings.described(room),
        watched=await settings.watched(room),
        style=await settings.style(room),
        styles=await settings.own_styles(room),
        room=await settings.defaults(room),
    )


async def known_models(services: Services, *, anew: bool = False) -> Models | None:
    """The worker's models, the last known ones if it is away, ``None`` if it was never seen. ``anew``: it is asked,
    whatever is known."""
    worker = services.worker
    if anew or worker.stream.connected or worker.known_models is None:
        try:
            return await asyncio.wait_for(worker.models(0.0 if anew else BELIEVED), LOOK)
        except (WorkerError, TimeoutError):
            pass
    return worker.known_models
