"""The bot's own comings: invitations it accepts, rooms it greets, and since when it is in them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from . import contents, texts
from .errors import MatrixError, MatrixRefused
from .matrix_http import MatrixHttp
from .outbox import Outbox
from .queues import Raw
from .records import Part, Rank, key_of
from .store import Store
from .sync import joins, membership_of, seconds

JOIN_TRIES = (1.0, 5.0, 15.0, 60.0)
GREETING_AGE = 24 * 3600.0
SLACK = 3.0
"""Seconds; clocks are not compared more finely."""


class Rooms:
    """What happens around the bot's membership."""

    def __init__(
        self,
        store: Store,
        http: MatrixHttp,
        outbox: Outbox,
        *,
        bot: str,
        join: Callable[[str], Awaitable[object]],
        allowed: Callable[[str], bool | Awaitable[bool]],
        prefix: Callable[[], str],
        log: logging.Logger,
    ) -> None:
        self._store = store
        self._http = http
        self._outbox = outbox
        self._bot = bot
        self._join = join
        self._allowed = allowed
        self._prefix = prefix
        self._log = log
        self._joined: dict[str, float] = {}

    async def since(self, room: str) -> float:
        """When the bot joined (Unix time); what was said before is not meant for it."""
        if room not in self._joined:
            known = await self._store.joined_at(room)
            self._joined[room] = known if known is not None else await self._ask(room)
        return self._joined[room]

    async def _ask(self, room: str) -> float:
        try:
            event = await self._http.state_event(room, "m.room.member", self._bot)
        except MatrixRefused:
            return 0.0
        # A changed display name hides when it came; then the age of the database decides.
        joined = seconds(event) if joins(event, self._bot) else 0.0
        await self._store.joined(room, joined)
        return joined

    def own_membership(self, room: str, event: Raw) -> bool:
        """Take note of the bot's own join in a state event; true if it is one."""
        if membership_of(event, self._bot) is None or not joins(event, self._bot):
            return False
        self._joined[room] = seconds(event)
        return True

    async def arrived(self, room: str, event: Raw) -> None:
        """The bot has joined: remember when, and say hello, once for ever."""
        joined = seconds(event)
        await self._store.joined(room, joined)
        ours = joined + self._http.ahead  # by our clock
        fresh = ours >= self._store.installed_at - SLACK and time.time() - ours < GREETING_AGE
        part: Part | None = None
        if fresh and await self._invited_by_friend(event):
            key = key_of(self._bot, room, "greeting")
            self._outbox.said.note(key, joined)
            content = await contents.notice(texts.greeting(self._prefix()), key, "greeting", None)
            part = Part(key=key, part="greeting", room_id=room, rank=Rank.REFUSAL, content=content)
        if await self._store.greet(room, part) and part is not None:
            self._outbox.enqueue([part])

    async def _invited_by_friend(self, event: Raw) -> bool:
        """Maubot's autojoin accepts everybody's invitations; strangers get silence all the same."""
        unsigned = event.get("unsigned")
        inviter = unsigned.get("prev_sender") if isinstance(unsigned, dict) else None
        if not isinstance(inviter, str) or inviter == self._bot:
            return True
        return await self._may(inviter)

    async def _may(self, user: str) -> bool:
        answer = self._allowed(user)
        return answer if isinstance(answer, bool) else await answer

    async def invited(self, room: str, sender: str) -> None:
        """Accept, if somebody who may use the bot asks."""
        if not await self._may(sender):
            self._log.info("An invitation by somebody who may not use the bot is ignored")
            return
        for wait in (*JOIN_TRIES, None):
            try:
                await self._join(room)
                return
            except MatrixError:
                return
            except Exception as error:
                if wait is None or getattr(error, "http_status", 500) in (403, 404):
                    self._log.warning("Cannot join a room: %s", type(error).__name__)
                    return
                await asyncio.sleep(wait)
