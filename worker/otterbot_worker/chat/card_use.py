"""What a chat backend's models take of the worker's card: asked before they are sent away, or share it.

Only a backend that needs the card has this (`ChatBackend.card`). Bytes are the server's own count, of weights, context
and what it computes with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from .records import Phase


@dataclass(frozen=True, kw_only=True)
class CardUse:
    """A model in memory."""

    name: str
    key: str
    """Its file and its context: what was measured of a model, and with whom it fits, is kept by it."""
    size: int
    on_card: int

    @property
    def split(self) -> bool:
        """Whether the processor computes some of its layers, slowly. Nothing on the card may be somebody's wish."""
        return 0 < self.on_card < self.size


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """Everything in memory, whoever loaded it."""

    models: Sequence[CardUse] = ()
    loading: bool = False
    """A load of ours is under way: what is free on the card is changing, and nothing follows from it."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The model of a turn that begins now."""

    name: str
    key: str
    estimate: int
    """About what it would take; what was measured under its key is better."""
    margin: int = 0
    """Bytes that have to be free beside it: with less, its backend leaves some layers to the processor."""
    loaded: CardUse | None = None
    """It is in memory, as it is wanted."""
    replaces: int = 0
    """Bytes on the card that leave when it is loaded: it is in memory in another form."""
    loading: bool = False
    """As `Loaded.loading`."""
    elsewhere: bool = False
    """It runs on another machine, and takes nothing."""


class CardModels(Protocol):
    """A backend's models on the card. "Could not ask" is a `JobFailed`, never an empty answer."""

    async def loaded(self) -> Loaded:
        """:raises JobFailed:"""

    async def wanted(self, model: str | None) -> Wanted:
        """Of a turn with ``model``, or with the default one. :raises JobFailed:"""

    async def load(self, model: str | None, on_phase: Callable[[Phase], None]) -> CardUse | None:
        """Loads that model as its turns want it; what it takes then, ``None`` where nobody says. Leaving this does not
        stop the load. :raises JobFailed: ``details["reason"]`` is ``out_of_memory`` where the card was too full"""
