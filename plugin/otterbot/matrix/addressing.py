"""Whether and how a message addresses the bot: by prefix, or by name, which may differ per room."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from ..errors import MatrixRefused
from ..language.intents import Intent, Vocabulary, parse, would_be_ours
from ..language.mention import Account, after_mention, behind_names, names_anywhere
from ..language.message import EMOTE, Message
from ..language.typed import clean
from .http import MatrixHttp

BELIEVED = 60.0
"""Seconds for which the bot's name in a room is cached."""
MAX_ROOMS = 1_000
_USER_ID = re.compile(r"\s*@[^\s:]{1,255}:\S")


class Calls:
    """One per plugin instance; caches the bot's names in rooms."""

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
            return None  # "/me draws" is no command
        intent = self._parse(message, ())
        mentioned = self._bot in message.mentions
        if intent is not None:
            return intent
        if not would_be_ours(message.body, prefix=self._prefix(), commands=self._commands, mentioned=mentioned):
            return None
        name = await self.name(message.room_id)
        return None if name is None else self._parse(message, (name,))

    async def calls_us(self, message: Message) -> bool:
        """Does it speak to the bot, by a name at its beginning or by a mention anywhere?

        Whoever replies mentions whom they reply to, for their client does it: that alone is no call. Raises
        :class:`MatrixError` where the room's name of the bot is needed and cannot be asked.
        """
        if self._bot in message.mentions and message.reply_to is None:
            return True
        text = clean(message.body)
        if self._named(message, text, ()):
            return True
        if not _may_name_somebody(text):
            return False
        name = await self.name(message.room_id)
        return name is not None and self._named(message, text, (name,))

    def _named(self, message: Message, text: str, names: tuple[str, ...]) -> bool:
        account = Account(user_id=self._bot, names=names)
        # "@otterbot:elsewhere, hello" speaks to somebody else.
        other = _USER_ID.match(text) is not None and not text.lstrip().startswith(self._bot)
        if not other and after_mention(text, account, formatted=message.formatted) is not None:
            return True
        return names_anywhere(text, account, formatted=message.formatted)

    async def without_name(self, message: Message) -> str:
        """The text without the bot's name at its beginning."""
        text = clean(message.body)
        mentioned = self._bot in message.mentions
        if not mentioned and not _may_name_somebody(text):
            return text
        name = await self.name(message.room_id)
        account = Account(user_id=self._bot, names=() if name is None else (name,))
        rest = after_mention(text, account, formatted=message.formatted, mentioned=mentioned)
        return text if rest is None or not rest.strip() else rest

    def _parse(self, message: Message, names: tuple[str, ...]) -> Intent | None:
        return parse(
            message.body,
            prefix=self._prefix(),
            commands=self._commands,
            account=Account(user_id=self._bot, names=names),
            formatted=message.formatted,
            mentioned=self._bot in message.mentions,
        )

    async def name(self, room: str) -> str | None:
        """The bot's display name there. Raises MatrixError where the homeserver does not answer."""
        known = self._names.get(room)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        try:
            event = await self._http.state_event(room, "m.room.member", self._bot)
        except MatrixRefused:
            return None if known is None else known[1]  # possibly a proxy's answer: keep the known name
        name = event["content"].get("displayname")
        if len(self._names) >= MAX_ROOMS:
            self._names.clear()
        self._names[room] = time.monotonic() + BELIEVED, name if isinstance(name, str) and name.strip() else None
        return self._names[room][1]


def _may_name_somebody(text: str) -> bool:
    """Could a name of the bot's, whatever it is, stand in the text (cleaned)? Else nobody has to ask for it."""
    return "@" in text or next(behind_names(text, mentioned=False), None) is not None
