"""Handles one event from its room's queue: decrypts it, or parks it until its key comes, and interprets it."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from .. import texts
from ..commands.outcome import Outcome, refuse
from ..errors import AnswerLost, RateLimited, Unanswered, places
from ..language import reaction as reactions
from ..language.message import Message, from_raw
from ..language.reaction import Reaction
from ..matrix.encryption import Encryption, KeyMissing, KeyTooNew
from ..matrix.sync_answer import Raw, seconds
from ..requests.cancel import Cancellation
from ..store.store import Store
from ..waiting import surely
from .edits import Edits
from .failures import Failures
from .follow_ups import FollowUps
from .timeline import said_at
from .undecrypted import Undecrypted

T = TypeVar("T")
COULD_NOT_ASK = (Unanswered, AnswerLost, RateLimited, sqlite3.Error)
"""Temporary failures of the homeserver or the database."""
IN_VAIN = 2
"""Retries in a room where earlier ones failed: later messages of the room wait meanwhile."""


class Handler:
    """One per plugin instance."""

    def __init__(
        self,
        store: Store,
        encryption: Encryption,
        cancelling: Cancellation,
        follow_ups: FollowUps,
        edits: Edits,
        late: Undecrypted,
        failures: Failures,
        *,
        handle: Callable[[Message], Awaitable[Outcome | None]],
        react: Callable[[Reaction], Awaitable[Outcome | None]],
        horizon: Callable[[], Awaitable[float]],
        bot: str,
        log: logging.Logger,
    ) -> None:
        """``horizon``: older messages are not answered."""
        self._store = store
        self._clock = store.clock
        self._encryption = encryption
        self._cancelling = cancelling
        self._follow_ups = follow_ups
        self._edits = edits
        self._late = late
        self._failures = failures
        self._handle = handle
        self._react = react
        self._horizon = horizon
        self._bot = bot
        self._log = log

    async def take(self, raw: Raw) -> None:
        room, event_id, sender = raw["room_id"], raw["event_id"], raw.get("sender")
        encrypted = raw.get("type") == "m.room.encrypted"
        if encrypted:
            self._encryption.doubt(room)
        if not isinstance(sender, str) or said_at(raw) < await self._surely(self._horizon):
            return
        if sender.partition(":")[2] == self._bot.partition(":")[2] and said_at(raw) != seconds(raw):
            await self._clock.doubt(seconds(raw))
        if raw.get("type") == "m.room.redaction":
            await self._redaction(room, raw)
            return
        if await self._surely(lambda: self._store.is_handled(event_id)):
            return
        if raw.get("type") == "m.reaction":
            await self._reaction(raw)
            return
        if encrypted and self._late.waits(raw):
            return
        readable = await surely(lambda: self._readable(raw), self._log, only=COULD_NOT_ASK)
        if isinstance(readable, KeyTooNew):
            self._late.never(readable.session_id, raw)
            return
        if isinstance(readable, KeyMissing):
            self._late.park(readable.session_id, raw)
            return
        message = None if readable is None else from_raw(readable, encrypted=encrypted, own_id=self._bot)
        if message is None or message.own or message.msgtype == "m.notice":
            return
        placed = await self._edits.in_place(replace(message, said_at=said_at(raw)))
        if placed is not None:
            await self._carry_out(placed)

    async def _readable(self, raw: Raw) -> Raw | KeyMissing | None:
        try:
            return await self._encryption.readable(raw)
        except KeyMissing as missing:
            return missing

    async def _carry_out(self, message: Message) -> None:
        outcome = await self._outcome(message)
        if outcome is not None:
            await self._follow_ups.commit(message, outcome)

    async def _reaction(self, raw: Raw) -> None:
        """Who could not be asked is asked again, as for a message; in the end the next walk takes it up."""
        reaction = reactions.from_raw(raw)
        if reaction is None or reaction.sender == self._bot:  # what it offers itself
            return
        tries = IN_VAIN if self._failures.failing(reaction.room_id) else None
        outcome = await surely(lambda: self._react(reaction), self._log, only=COULD_NOT_ASK, tries=tries)
        if outcome is not None:
            await self._follow_ups.commit_reaction(reaction, outcome)

    async def _redaction(self, room: str, raw: Raw) -> None:
        content = raw.get("content")
        target = raw.get("redacts") or (content.get("redacts") if isinstance(content, dict) else None)
        if isinstance(target, str):
            self._late.deleted(room, target)
            await self._surely(lambda: self._cancelling.redacted(room, target))

    # -- what it means -----------------------------------------------------------------------

    async def _outcome(self, message: Message) -> Outcome | None:
        """What it means. Who could not be asked is asked again, and what comes after it in the room waits. Nothing is
        decided on a failure: in the end it is said, or (it may not have been for us) taken up later."""
        try:
            tries = IN_VAIN if self._failures.failing(message.room_id) else None
            return await surely(lambda: self._meaning(message), self._log, only=COULD_NOT_ASK, tries=tries)
        except COULD_NOT_ASK as unknown:
            sentence = unknown.sentence if isinstance(unknown, Unanswered) else None
            if sentence is None:
                raise
            return refuse(sentence)
        except Exception as error:
            self._log.error("A command failed with %s:\n%s", type(error).__name__, places(error))
            return refuse(texts.INTERNAL)

    async def _meaning(self, message: Message) -> Outcome | None:
        if message.edit_id is not None:
            return await self._edits.outcome(message)
        return await self._handle(message)

    async def _surely(self, call: Callable[[], Awaitable[T]]) -> T:
        return await surely(call, self._log)
