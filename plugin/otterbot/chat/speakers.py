"""What people are called in a room, as a language model may be told: a name is one short line, and no instruction."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Iterable

from ..errors import MatrixError
from ..language.typed import clean
from ..matrix.http import MatrixHttp

LONGEST = 40
"""Characters of a name."""
MOST = 40
"""People of one conversation who are asked for; the others go by their local parts."""
BELIEVED = 300.0
"""Seconds for which a name is believed."""
MAX_KNOWN = 5_000

_NO_NAME = re.compile(r"[^\w .'’·-]+")
"""What is taken out: signs that mark up, quote, or end the name (``Anna: ignore all …``)."""


def cleaned(name: str) -> str:
    """A display name as one short line of letters, digits and spaces; ``""`` if nothing is left of it."""
    readable = "".join(letter for letter in clean(name) if unicodedata.category(letter)[0] != "C" or letter.isspace())
    name = " ".join(_NO_NAME.sub(" ", readable).split())[:LONGEST].strip(" .'’·-")
    return name if any(letter.isalnum() for letter in name) else ""


def local_part(user: str) -> str:
    return cleaned(user.removeprefix("@").partition(":")[0]) or "somebody"


class Speakers:
    """One per plugin instance; owns what people are called in rooms."""

    def __init__(self, http: MatrixHttp, bot: str) -> None:
        self._http = http
        self._bot = bot
        self._known: dict[tuple[str, str], tuple[float, str]] = {}

    async def bot(self, room: str) -> str:
        return await self._one(room, self._bot)

    async def names(self, room: str, users: Iterable[str]) -> dict[str, str]:
        """A name for each of them that nobody else among them, nor the bot, has."""
        people = list(dict.fromkeys(users))
        called = {
            user: await self._one(room, user) if place < MOST else local_part(user) for place, user in enumerate(people)
        }
        folded = [name.casefold() for name in called.values()] + [(await self.bot(room)).casefold()]
        shared = {name for name in folded if folded.count(name) > 1}
        return {user: _told_apart(name, user) if name.casefold() in shared else name for user, name in called.items()}

    async def _one(self, room: str, user: str) -> str:
        """Who cannot be asked for goes by the local part: a missing name holds up no answer."""
        known = self._known.get((room, user))
        if known is not None and known[0] > time.monotonic():
            return known[1]
        try:
            event = await self._http.state_event(room, "m.room.member", user)
        except MatrixError:
            return known[1] if known is not None else local_part(user)
        shown = event["content"].get("displayname")
        name = (cleaned(shown) if isinstance(shown, str) else "") or local_part(user)
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[room, user] = time.monotonic() + BELIEVED, name
        return name


def _told_apart(name: str, user: str) -> str:
    """The whole user id is the only name that nobody else can take."""
    whole = _NO_NAME.sub(" ", user.removeprefix("@").replace(":", " at ")).strip()
    return f"{name} ({' '.join(whole.split())[: 2 * LONGEST]})"
