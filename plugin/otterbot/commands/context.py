"""What a request meets where it is asked for, looked up before it is made out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ..config import Values
from ..errors import WorkerError
from ..worker.info import Models
from .room_settings import Chosen
from .services import Services

LOOK = 0.4
"""Seconds that an answer waits for a fresh catalogue."""


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """The instance, and the room's model."""

    values: Values
    chosen: Chosen
    safe: bool = False
    """Whether a safety checker has to look at it."""
    described: bool = False
    """Whether it is to say what it shows."""


async def circumstances(services: Services, room: str) -> Circumstances:
    chosen = await services.settings.model(room)
    safe = await services.settings.safe(room)
    described = await services.settings.described(room)
    return Circumstances(values=services.config.current, chosen=chosen, safe=safe, described=described)


async def known_models(services: Services) -> Models | None:
    """The worker's models, the last known ones if it is away, ``None`` if it was never seen."""
    worker = services.worker
    if worker.connected or worker.known_models is None:
        try:
            return await asyncio.wait_for(worker.models(), LOOK)
        except (WorkerError, TimeoutError):
            pass
    return worker.known_models
