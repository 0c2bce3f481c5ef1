"""What holds in a room: its own setting, else the instance's, else the worker's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .. import texts
from ..config import Config, Values
from ..config_checks import BATCHES
from ..errors import Unanswered
from ..language.option_kinds import BadValue
from ..language.reaction import read_offer
from ..language.style_values import StyleChoice, Styles, StylesOf
from ..store.store import Store
from .predecessors import SAFE, Predecessors
from .room_defaults import RoomDefaults, read_defaults

__all__ = [
    "ALT",
    "BATCH",
    "CHAT_DRAWS",
    "CHAT_MODEL",
    "DESCRIBE",
    "EXPAND",
    "MODEL",
    "OFFER",
    "PERSONA",
    "SAFE",
    "STYLE",
    "WATCH",
    "Chosen",
    "RoomSettings",
]

MODEL = "model"
CHAT_MODEL = "chat"
PERSONA = "persona"
BATCH = "batch"
EXPAND = "expand"
CHAT_DRAWS = "chat_draws"
ALT = "alt"
STYLE = "style"
OFFER = "offer"
WATCH = "watch"
OFF = "off"
DESCRIBE = "describe"
"""The value of `ALT` by which pictures are described."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A model's name and who chose it; ``None`` leaves it to the worker."""

    name: str | None
    source: Literal["room", "instance", "worker"]


class RoomSettings:
    """Reads; commands change settings through their :class:`~.outcome.Outcome`."""

    def __init__(self, store: Store, config: Config, predecessors: Predecessors | None = None) -> None:
        self._store = store
        self._config = config
        self.predecessors = predecessors
        """``None``: rooms are not upgraded."""

    async def settled(self, room: str) -> bool:
        """What was set in the room that this one replaces holds here now; false if that cannot be known yet."""
        return self.predecessors is None or await self.predecessors.settled(room)

    async def surely_settled(self, room: str) -> None:
        """Before something is set: what comes along from the room before comes once, and not after this.

        Raises :class:`~..errors.Unanswered` if that cannot be known yet.
        """
        if not await self.settled(room):
            raise Unanswered("the room's predecessor", sentence=texts.BEFORE_UNKNOWN)

    async def model(self, room: str) -> Chosen:
        await self.settled(room)
        if (own := await self._store.room_setting(room, MODEL)) is not None:
            return Chosen(name=own, source="room")
        return self.default_model()

    async def safe(self, room: str) -> bool:
        """Whether a safety checker has to look at the room's pictures; as long as nobody knows, it has to."""
        known = await self.settled(room)
        own = await self._store.room_setting(room, SAFE)
        if own is None and not known:
            return True
        return self._config.current.draw.safe if own is None else own == "on"

    async def own(self, room: str, name: str) -> str | None:
        """What was set in the room itself, or in the one that it replaces."""
        await self.settled(room)
        return await self._store.room_setting(room, name)

    async def defaults(self, room: str) -> RoomDefaults:
        """What the room has set for its pictures."""
        await self.settled(room)
        return read_defaults(await self._store.room_settings(room))

    async def is_on(self, room: str, name: str, default: Callable[[Values], bool]) -> bool:
        """A setting that is on or off."""
        own = await self.own(room, name)
        return default(self._config.current) if own is None else own == "on"

    async def chat_model(self, room: str) -> str | None:
        """Which language model answers here; ``None`` leaves it to the worker."""
        return await self.own(room, CHAT_MODEL) or self._config.current.chat.model

    async def persona(self, room: str) -> str | None:
        """Who the bot is in the room's chats; ``None``: as the instance says."""
        return await self.own(room, PERSONA)

    async def batch(self, room: str) -> str:
        """How several pictures of one request come, see ``draw.batch``."""
        own = await self.own(room, BATCH)
        return own if own in BATCHES else self._config.current.draw.batch

    async def described(self, room: str) -> bool:
        """Whether each picture says what it shows."""
        return await self.own(room, ALT) == DESCRIBE

    async def watched(self, room: str) -> bool:
        """Whether pictures are shown while they are drawn."""
        return await self.is_on(room, WATCH, lambda values: values.draw.watch)

    async def style(self, room: str) -> Styles | None:
        """What pictures look like where nobody says it; ``None``: the room has not chosen."""
        own = await self.own(room, STYLE)
        try:
            return None if own is None else StylesOf().typed(own)
        except BadValue:
            return None  # of another version, which took more

    async def usual_styles(self, room: str) -> str | None:
        """For people: the names, or ``None`` where pictures are drawn without any."""
        own = await self.style(room)
        names = self._config.current.draw.style if own is None else [style.name for style in own]
        return ", ".join(names) or None

    async def own_styles(self, room: str) -> dict[str, StyleChoice]:
        """The room's own styles by their folded names, the first that was saved first."""
        await self.settled(room)
        return {
            style.key: StyleChoice(name=style.name, prompt=style.prompt, negative_prompt=style.negative_prompt)
            for style in await self._store.styles(room)
        }

    async def offered(self, room: str) -> tuple[str, ...]:
        """The reactions that the bot puts under its pictures."""
        own = await self._store.room_setting(room, OFFER)
        if own is None:
            return self._config.current.reactions.offer
        try:
            return () if own == OFF else read_offer(own)
        except ValueError:
            return ()  # of another version, which offered more

    def default_model(self) -> Chosen:
        """What draws in rooms that have not chosen."""
        name = self._config.current.model
        return Chosen(name=name, source="instance" if name else "worker")
