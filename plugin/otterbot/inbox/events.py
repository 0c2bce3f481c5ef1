"""What comes from the rooms: each message handled once, in order, whenever its key arrives.

Everything is read from the raw sync answers and from the walks of the catch-up; both go through
one queue per room, which asks the database whether it has been handled. What follows from a
message is committed together with the mark that says so.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from mautrix.client import InternalEventType

from .. import texts
from ..clock import Polls
from ..commands.outcome import NewRequest, Outcome, say
from ..config import Values
from ..errors import AnswerLost, MatrixError, RateLimited, Unanswered, places
from ..language.message import Message, from_raw
from ..matrix import event_content
from ..matrix.encryption import Encryption, KeyMissing, KeyTooNew
from ..matrix.http import MatrixHttp
from ..matrix.sync_answer import TIMELINE, Raw, SyncAnswer, joins, seconds
from ..outbox.queue import Outbox
from ..requests.completion import REPLACED
from ..requests.delivery import Delivery
from ..store.part_names import REPLY, SAME
from ..store.rows import Kind, Part, Rank, Request, key_of
from ..store.store import Commit, Store
from ..waiting import LASTING, surely
from .backfill import CatchUp
from .dedup import Seen
from .edits import Edits
from .failures import Failures
from .holdback import Order
from .membership import Rooms
from .queues import RoomQueues
from .repeats import Repeats
from .timeline import Heard, dated, said_at, since_invited
from .undecrypted import LateKeys
from .unread import Unread

if TYPE_CHECKING:
    from mautrix.client import Client

T = TypeVar("T")
RESTART_SYNC = 30.0
COULD_NOT_ASK = (Unanswered, AnswerLost, RateLimited, sqlite3.Error)
"""The homeserver did not answer, or not with what it knows; or the database did not."""
IN_VAIN = 2
"""How often it is asked again in a room where that was in vain: what comes after waits as long."""


class Events:
    """One per plugin instance; the only handler of the client's events."""

    def __init__(
        self,
        client: Client,
        http: MatrixHttp,
        store: Store,
        encryption: Encryption,
        outbox: Outbox,
        delivery: Delivery,
        rooms: Rooms,
        catch_up: Callable[..., CatchUp],
        *,
        handle: Callable[[Message], Awaitable[Outcome | None]],
        unread: Unread,
        values: Callable[[], Values],
        restart_sync: Callable[[], object],
        members_changed: Callable[[str], object] = lambda room: None,
        heard_state: Callable[[str, Raw], None] = lambda room, state: None,
        log: logging.Logger,
    ) -> None:
        self._client = client
        self._http = http
        self._bot = str(client.mxid)
        self._store = store
        self._clock = store.clock
        self._encryption = encryption
        self._outbox = outbox
        self._delivery = delivery
        self._rooms = rooms
        self._handle = handle
        self._edits = Edits(http, store, delivery, handle, log)
        self._values = values
        self._restart_sync = restart_sync
        self._members_changed = members_changed
        self._heard_state = heard_state
        self._log = log
        self._queues = RoomQueues(self._event, log)
        self._unread = unread
        self._late = LateKeys(encryption, self._queues.put, unread, log)
        self._seen = Seen()
        self._failures = Failures()
        self._polls = Polls(store.clock)
        self._heard = Heard()
        self._repeats = Repeats(store, outbox.turns.begun, outbox.sent_before.stands)
        self._gap: float | None = None
        """Since when something may be missing; ``None``: nothing is."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._order = Order(self._found)
        self._catch_up = catch_up(
            bot=self._bot,
            horizon=self._horizon,
            seen=self._seen.before,
            found=self._walked,
            arrived=self._came,
            order=self._order,
            log=log,
        )

    # -- life --------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen, and look for what came before."""
        client = self._client
        client.add_event_handler(InternalEventType.SYNC_SUCCESSFUL, self.on_sync, wait_sync=True)
        client.add_event_handler(InternalEventType.SYNC_ERRORED, self.on_sync_error)
        client.add_event_handler(InternalEventType.SYNC_STOPPED, self.on_sync_stopped)
        self._spawn(self._catch_up.everywhere(time.monotonic()))

    async def stop(self) -> None:
        client = self._client
        client.remove_event_handler(InternalEventType.SYNC_SUCCESSFUL, self.on_sync)
        client.remove_event_handler(InternalEventType.SYNC_ERRORED, self.on_sync_error)
        client.remove_event_handler(InternalEventType.SYNC_STOPPED, self.on_sync_stopped)
        self._order.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._late.stop()
        await self._queues.stop()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="otterbot events")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- the sync ----------------------------------------------------------------------------

    async def on_sync(self, event: Any) -> None:
        """A sync answer has come. Only sorts; nothing here waits."""
        answer = SyncAnswer(event.get("data") if isinstance(event, dict) else None)
        earliest, latest = self._polls.answered()
        self._unread.withheld.heard(answer.to_device())
        self._late.hearing(works=True)
        gap, self._gap = self._gap, None
        if gap is not None:
            self._spawn(self._catch_up.everywhere(gap))
        for room, since in self._failures.due(time.monotonic()).items():
            self._spawn(self._catch_up.room(room, since))
        for room in answer.rooms():
            for state in answer.state(room):
                self._heard_state(room, state)
                if state.get("type") == "m.room.encryption" and state.get("state_key") == "":
                    self._encryption.seen_encrypted(room)
                elif state.get("type") == "m.room.member":
                    self._members_changed(room)
                if joins(state, self._bot):
                    [came] = dated([state], self._bot, earliest=earliest, latest=latest)
                    self._came(room, came, said_at(came))
            timeline = answer.timeline(room)
            back = any(joins(each, self._bot) for each in timeline)  # it may have been there before
            if gap is None and (back or answer.limited(room)):
                self._spawn(self._catch_up.room(room, time.monotonic()))
            counts = since_invited(answer.before(room), timeline, self._bot)
            heard = dated(counts, self._bot, earliest=earliest, latest=latest)
            self._heard.note(heard)
            self._order.put(room, heard)
        for room in answer.left():
            for state in answer.state(room):
                self._heard_state(room, state)
        for room, sender in answer.invites(self._bot):
            self._spawn(self._rooms.invited(room, sender))

    def _came(self, room: str, event: Raw, at: float | None = None) -> None:
        self._spawn(self._rooms.arrived(room, event, at))

    async def on_sync_error(self, event: Any) -> None:
        self._missing(time.monotonic())
        self._late.hearing(works=False)
        self._encryption.forget_plain()

    async def on_sync_stopped(self, event: Any) -> None:
        """A fatal error ended the sync: begin again, or the bot would be deaf until a restart."""
        self._missing(time.monotonic())
        self._late.hearing(works=False)
        if isinstance(event, dict) and event.get("error") is not None:
            await asyncio.sleep(RESTART_SYNC)
            self._restart_sync()

    def _missing(self, since: float) -> None:
        self._gap = since if self._gap is None else min(self._gap, since)

    # -- into the queues ---------------------------------------------------------------------

    def _walked(self, room: str, events: list[Raw]) -> None:
        """A walk found them. When they were said their times alone tell, if the sync has not brought them too."""
        self._found(room, dated(events, self._bot, latest=self._clock.now(), heard=self._heard))

    def _found(self, room: str, events: list[Raw]) -> None:
        for event in events:
            event_id = event.get("event_id")
            if event.get("type") not in TIMELINE or "state_key" in event or event.get("sender") == self._bot:
                continue
            if isinstance(event_id, str) and self._seen.new(event_id):
                self._queues.put(room, event)

    async def _horizon(self) -> float:
        """What is older is not answered: the age limit, the age of the database."""
        await self._clock.settle()
        now, installed = self._clock.now(), self._store.installed_at
        age = now - self._values().catch_up.max_age_hours * 3600
        # Not in the future: the clock was wrong then, and has been put right.
        return max(age, installed if installed <= now else 0.0)

    async def _event(self, raw: Raw) -> None:
        """One event out of its room's queue. What fails for now is found again by the next walk."""
        event_id = raw["event_id"]
        try:
            await self._take(raw)
        except LASTING:
            raise
        except Exception:
            self._failures.failed(event_id, raw["room_id"], self._seen.failed(event_id), time.monotonic())
            raise
        self._failures.over(event_id)

    async def _take(self, raw: Raw) -> None:
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
            await self._commit(message, outcome)

    async def _redaction(self, room: str, raw: Raw) -> None:
        content = raw.get("content")
        target = raw.get("redacts") or (content.get("redacts") if isinstance(content, dict) else None)
        if isinstance(target, str):
            self._late.deleted(room, target)
            await self._surely(lambda: self._delivery.cancelling.redacted(room, target))

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
            return say(sentence)
        except Exception as error:
            self._log.error("A command failed with %s:\n%s", type(error).__name__, places(error))
            return say(texts.INTERNAL)

    async def _meaning(self, message: Message) -> Outcome | None:
        if message.edit_id is not None:
            return await self._edits.outcome(message)
        return await self._handle(message)

    # -- what follows ------------------------------------------------------------------------

    async def _commit(self, message: Message, outcome: Outcome) -> None:
        key = key_of(self._bot, message.room_id, message.event_id, message.edit_id)
        self._outbox.sent_before.note(key, message.timestamp / 1000, message.room_id)
        parts: list[Part] = []
        request = None if outcome.request is None else await self._request(message, key, outcome.request)
        if request is not None:
            parts += self._delivery.first_parts(request)
        repeated = await self._surely(lambda: self._repeats.covers(message, outcome))
        if repeated:
            parts.append(_same(message, key))
        elif outcome.reply is not None:
            content = await event_content.notice(outcome.reply.text, key, REPLY, message)
            parts.append(Part(key=key, part=REPLY, room_id=message.room_id, content=content))
        replaced = message.edit_id is not None and request is not None
        commit = Commit(
            mark=message.mark,
            room_id=message.room_id,
            request=request,
            parts=parts,
            cancel=outcome.cancel,
            outcome=REPLACED if replaced else "cancelled",
            setting=None if outcome.setting is None else (outcome.setting.name, outcome.setting.value),
        )
        done = await self._surely(lambda: self._store.commit(commit))
        if not done.fresh:
            return
        await self._delivery.cancelling.were_cancelled(done.cancelled, replaced=replaced)
        if not repeated:
            self._repeats.said(message, outcome, key)
        self._outbox.turns.asked_by(key, message.sender)
        self._outbox.enqueue(parts)
        if request is not None:
            self._delivery.accepted_request(request)

    async def _request(self, message: Message, key: str, new: NewRequest) -> Request:
        now = self._clock.now()
        return Request(
            key=key,
            room_id=message.room_id,
            event_id=message.event_id,
            edit_id=message.edit_id,
            sender=message.sender,
            kind=new.kind,
            body=new.body,
            asked=new.asked,
            notes=new.notes,
            private=message.encrypted or await self._private(message.room_id),
            thread_root=message.thread_root,
            reply_to=message.reply_to,
            sent_at=message.timestamp / 1000,
            created_at=now,
            expires_at=now + self._values().keep_hours * 3600,
        )

    async def _private(self, room: str) -> bool:
        try:
            return await self._surely(lambda: self._encryption.is_encrypted(room))
        except MatrixError:
            return True  # not known, for as long as it was asked: the careful answer

    async def _surely(self, call: Callable[[], Awaitable[T]]) -> T:
        return await surely(call, self._log)


def _same(message: Message, key: str) -> Part:
    """The reaction to a question whose answer somebody else, or the same person, has just got."""
    content = event_content.reaction(key, SAME, message.event_id, texts.SAME)
    return Part(key=key, part=SAME, room_id=message.room_id, kind=Kind.REACTION, rank=Rank.REPEAT, content=content)
