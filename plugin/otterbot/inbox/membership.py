"""The bot's own comings: invitations it accepts, rooms it greets, and since when it is in them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from mautrix.errors import MatrixStandardRequestError

from .. import texts
from ..errors import NotAllowed
from ..matrix import event_content
from ..matrix.http import MatrixHttp
from ..matrix.sync_answer import Raw, seconds
from ..outbox.queue import Outbox
from ..store.part_names import GREETING
from ..store.rows import Part, Rank, key_of
from ..store.store import Store
from ..waiting import surely

JOIN_TRIES = (1.0, 5.0, 15.0, 60.0, 300.0)
"""Seconds between tries to accept an invitation; the last value repeats for about a day, until a refusal."""
MOST_TRIES = 300
GREETING_AGE = 24 * 3600.0
SPACE = "m.space"
SLACK = 3.0
"""Tolerance in seconds when times are compared."""


class Membership:
    """Handles the bot's own membership: joins and invitations."""

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
        follows: Callable[[str], Awaitable[bool]] | None = None,
    ) -> None:
        """``follows``: whether the room replaces one that the bot was in; such rooms are not greeted again."""
        self._store = store
        self._http = http
        self._outbox = outbox
        self._bot = bot
        self._join = join
        self._allowed = allowed
        self._prefix = prefix
        self._log = log
        self._follows = follows
        self._arriving: set[str] = set()
        self._joining: set[str] = set()

    async def arrived(self, room: str, event: Raw, at: float | None = None) -> None:
        """The bot has joined: store when, and greet once ever, except in spaces, where nobody talks. ``at``: when that
        counts as done, where that is known better than by the event's own time."""
        if room in self._arriving:
            return
        self._arriving.add(room)
        came = seconds(event) if at is None else at
        try:
            await surely(lambda: self._arrived(room, event, came), self._log, for_ever=True)
        finally:
            self._arriving.discard(room)

    async def _arrived(self, room: str, event: Raw, at: float) -> None:
        clock = self._store.clock
        await clock.settle()
        await self._store.joined(room, at)
        fresh = at >= self._store.installed_at - SLACK and clock.now() - at < GREETING_AGE
        part: Part | None = None
        fresh = fresh and not (self._follows is not None and await self._follows(room))
        if fresh and await self._invited_by_friend(event) and not await self._is_space(room):
            key = key_of(self._bot, room, GREETING)
            self._outbox.sent_before.note(key, at, room)
            content = await event_content.notice(texts.greeting(self._prefix()), key, GREETING, None)
            part = Part(key=key, part=GREETING, room_id=room, rank=Rank.REFUSAL, content=content)
        if await self._store.greet(room, part) and part is not None:
            self._outbox.enqueue([part])

    async def _is_space(self, room: str) -> bool:
        try:
            create = await self._http.state_event(room, "m.room.create")
        except NotAllowed:
            return False  # unknown, or the bot has left: then it could not say anything
        return bool(create["content"].get("type") == SPACE)

    async def _invited_by_friend(self, event: Raw) -> bool:
        """Whether an allowed user has invited the bot. Maubot's autojoin accepts everybody's invitations, but strangers
        get silence."""
        unsigned = event.get("unsigned")
        inviter = unsigned.get("prev_sender") if isinstance(unsigned, dict) else None
        if not isinstance(inviter, str) or inviter == self._bot:
            return True
        return await self._may(inviter)

    async def _may(self, user: str) -> bool:
        answer = self._allowed(user)
        return answer if isinstance(answer, bool) else await answer

    async def invited(self, room: str, sender: str) -> None:
        """Accept an invitation from an allowed user."""
        if not await self._may(sender):
            self._log.info("An invitation by somebody who may not use the bot is ignored")
            return
        if room in self._joining:
            return
        self._joining.add(room)
        try:
            await self._accept(room)
        finally:
            self._joining.discard(room)

    async def _accept(self, room: str) -> None:
        for tries in range(MOST_TRIES):
            try:
                await self._join(room)
                return
            except Exception as error:
                # The invitation was withdrawn, or the room is gone, or of an unknown version.
                said_no = isinstance(error, MatrixStandardRequestError) and error.http_status in (400, 403, 404)
                if said_no or tries + 1 == MOST_TRIES:
                    self._log.warning("Cannot join a room: %s", type(error).__name__)
                    return
            await asyncio.sleep(JOIN_TRIES[min(tries, len(JOIN_TRIES) - 1)])
