"""What a message asks of the bot: by the prefix, or by one of its names, which may be another in every room."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..errors import MatrixRefused
from ..language.intents import Intent, Vocabulary, parse, would_be_ours
from ..language.mention import Account
from ..language.message import EMOTE, Message
from .http import MatrixHttp

BELIEVED = 60.0
"""Seconds for which a room's name of the bot is believed."""
MAX_ROOMS = 1_000


class Calls:
    """One per plugin instance; owns what the bot is called in its rooms."""

    def __init__(self, http: MatrixHttp, bot: str, *, prefix: Callable[[], str], commands: Vocabulary) -> None:
        self._http = http
        self._bot = bot
        self._prefix = prefix
        self._commands = commands
        self._names: dict[str, tuple[float, str | None]] = {}

    async def intent(self, message: Message) -> Intent | None:
        """What the message asks; ``None`` if it is no command of ours.

        The room is asked for the bot's name only where the message would be a command if that were its name.
        Raises :class:`MatrixError` where it cannot be asked.
        """
        if message.msgtype == EMOTE:
            return None  # "/me draws" tells what somebody does
        intent = self._parse(message, ())
        mentioned = self._bot in message.mentions
        if intent is not None:
            return intent
        if not would_be_ours(message.body, prefix=self._prefix(), commands=self._commands, mentioned=mentioned):
            return None
        name = await self._name(message.room_id)
        return None if name is None else self._parse(message, (name,))

    def _parse(self, message: Message, names: tuple[str, ...]) -> Intent | None:
        return parse(
            message.body,
            prefix=self._prefix(),
            commands=self._commands,
            account=Account(user_id=self._bot, names=names),
            formatted=message.formatted,
            mentioned=self._bot in message.mentions,
        )

    async def _name(self, room: str) -> str | None:
        """The bot's display name there. Raises MatrixError where the homeserver does not answer."""
        known = self._names.get(room)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        try:
            event = await self._http.state_event(room, "m.room.member", self._bot)
        except MatrixRefused:
            return None if known is None else known[1]  # perhaps a proxy's answer: nothing new is learnt
        content = event.get("content")
        name = content.get("displayname") if isinstance(content, dict) else event.get("displayname")
        if len(self._names) >= MAX_ROOMS:
            self._names.clear()
        self._names[room] = time.monotonic() + BELIEVED, name if isinstance(name, str) and name.strip() else None
        return self._names[room][1]
