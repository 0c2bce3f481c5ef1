"""Who may do what: the instance's list of users, and the power levels of rooms.

Power levels and members are cached for a few seconds. They are read anew before somebody is refused, and before plain
text is taken for chat.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mautrix.api import Method, Path
from mautrix.errors import MatrixRequestError, MForbidden, MNotFound

from .. import texts
from ..clock import Clock
from ..errors import Unanswered
from ..matrix.power_levels import Power, read_power

if TYPE_CHECKING:
    from mautrix.client import Client

    from ..config import Config

BELIEVED = 10.0
"""Seconds for which power levels are cached."""
CROWD_BELIEVED = 60.0
"""Seconds for which "more than two members" is cached."""
JUST_NOW = 30.0
"""Seconds for which a message counts as said now."""
MAX_ROOMS = 1_000
PATIENCE = 10.0
"""Seconds for an answer of the homeserver."""


class PowerUnknown(Unanswered):
    """The homeserver did not say who may do what."""

    sentence = texts.POWER_UNKNOWN


class MembersUnknown(Unanswered):
    """The homeserver did not say who is in a room: whether plain text is meant for the bot cannot be told."""


class Permissions:
    """One per plugin instance; owns the cache."""

    def __init__(self, client: Client, config: Config, clock: Clock | None = None) -> None:
        self._client = client
        self._config = config
        self._clock = clock or Clock()
        self._power: dict[str, tuple[float, Power]] = {}
        self._crowds: dict[str, float] = {}

    def may_use(self, user: str) -> bool:
        """Is the user one of ``allowed_users``, and none of ``ignored_users``? The bot itself is not."""
        bot, values = str(self._client.mxid), self._config.current
        if user == bot or any(_matches(user, pattern, bot) for pattern in values.ignored_users):
            return False
        return is_allowed(user, values.allowed_users, bot)

    async def has_power(self, room: str, user: str, level: int) -> bool:
        """Raises :class:`PowerUnknown` if the homeserver cannot be asked."""
        known = self._power.get(room)
        if known is not None and known[0] > time.monotonic() and known[1].of(user) >= level:
            return True
        power = await self._read_power(room)
        if len(self._power) >= MAX_ROOMS:
            self._power.clear()
        self._power[room] = time.monotonic() + BELIEVED, power
        return power.of(user) >= level

    def members_changed(self, room: str) -> None:
        """A membership changed: drop the room's cached members."""
        self._crowds.pop(room, None)

    async def alone_with(self, room: str, user: str, said_at: float | None = None) -> bool:
        """Are the bot and ``user`` the only joined members, and were they at ``said_at`` (Unix seconds)?

        What people said to each other while there were more of them is not meant for the bot, even if it is found only
        after the others have left. Raises :class:`MembersUnknown` if the homeserver cannot be asked.
        """
        if self._crowds.get(room, 0.0) > time.monotonic():
            return False
        answer = await self._members(Path.v3.rooms[room].joined_members)
        if answer is None:
            return False  # the bot is not in there (any more)
        joined = answer.get("joined")
        if not isinstance(joined, dict):
            raise MembersUnknown("the answer is not the homeserver's")
        if len(joined) > 2:
            if len(self._crowds) >= MAX_ROOMS:
                self._crowds.clear()
            self._crowds[room] = time.monotonic() + CROWD_BELIEVED
        if set(joined) != {user, str(self._client.mxid)}:
            return False
        if said_at is None or self._clock.now() - said_at < JUST_NOW:
            return True
        return not await self._left_since(room, said_at)

    async def _left_since(self, room: str, moment: float) -> bool:
        """Has anybody left the room since then?"""
        answer = await self._members(Path.v3.rooms[room].members, not_membership="join")
        if answer is None:
            return True
        events = answer.get("chunk")
        if not isinstance(events, list):
            raise MembersUnknown("the answer is not the homeserver's")
        times = [event.get("origin_server_ts") for event in events if isinstance(event, dict)]
        return any(not isinstance(at, int) or at >= moment * 1000 for at in times)

    async def _members(self, path: Any, **query: str) -> dict[str, Any] | None:
        """A list of members; ``None``: the bot is not in the room. Other failures are raised."""
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self._client.api.request(Method.GET, path, query_params=query)
        except (MForbidden, MNotFound):
            return None
        except Exception as error:  # mautrix, aiohttp and timeouts alike
            raise MembersUnknown(type(error).__name__) from None
        if not isinstance(answer, dict):
            raise MembersUnknown("the answer is not the homeserver's")
        return answer

    async def _read_power(self, room: str) -> Power:
        try:
            async with asyncio.timeout(PATIENCE):
                create = await self._state(room, "m.room.create", event=True)
                levels = await self._state(room, "m.room.power_levels")
        except Exception as error:  # mautrix, aiohttp and timeouts alike
            raise PowerUnknown(type(error).__name__) from None
        return read_power(create, levels)

    async def _state(self, room: str, event_type: str, *, event: bool = False) -> Any:
        path = Path.v3.rooms[room].state[event_type]
        try:
            if event:
                answer = await self._client.api.request(Method.GET, path, query_params={"format": "event"})
                if isinstance(answer, dict) and isinstance(answer.get("sender"), str):
                    return answer
                return await self._create_event(room)
            return await self._client.api.request(Method.GET, path)
        except MNotFound:
            return None
        except MatrixRequestError:
            if event:
                return await self._create_event(room)
            raise

    async def _create_event(self, room: str) -> Any:
        """The create event from the full state, for homeservers without ``format=event``."""
        state = await self._client.api.request(Method.GET, Path.v3.rooms[room].state)
        if not isinstance(state, list):
            raise TypeError("the answer is not the homeserver's")
        return next((e for e in state if isinstance(e, dict) and e.get("type") == "m.room.create"), None)


def is_allowed(user: str, patterns: Iterable[str], bot: str) -> bool:
    """Does a pattern match, and none of those that begin with ``-``, wherever they stand? ``*`` and ``?`` stay on their
    side of the first colon."""
    if not user.startswith("@") or ":" not in user:
        return False
    allowed = False
    for pattern in patterns:
        if _matches(user, pattern.removeprefix("-"), bot):
            if pattern.startswith("-"):
                return False
            allowed = True
    return allowed


def _matches(user: str, pattern: str, bot: str) -> bool:
    name, _, server = user.partition(":")
    wanted_name, _, wanted_server = pattern.partition(":")
    wanted_server = wanted_server.replace("{homeserver}", bot.partition(":")[2])
    return _glob(wanted_name, name) and _glob(wanted_server.lower(), server.lower())


def _glob(pattern: str, text: str) -> bool:
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in re.sub(r"\*+", "*", pattern))
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None
