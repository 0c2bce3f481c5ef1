"""What comes from the rooms: each message handled once, in order, whenever its key arrives.

Everything is read from the raw sync answers and from the walks of the catch-up; both go through
one queue per room, which asks the database whether it has been handled. What follows from a
message is committed together with the mark that says so.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from mautrix.client import InternalEventType

from . import contents, texts
from .catchup import CatchUp
from .config import Values
from .delivery import Delivery
from .edits import Edits
from .encryption import Encryption, KeyMissing
from .endings import REPLACED
from .errors import MatrixError, places
from .keys import LateKeys
from .matrix_http import MatrixHttp
from .message import Message, from_raw
from .order import Order
from .outbox import Outbox
from .outcome import NewRequest, Outcome, say
from .queues import Raw, RoomQueues
from .records import Part, Request, key_of
from .rooms import Rooms
from .seen import Seen
from .store import Commit, Store
from .sync import TIMELINE, SyncAnswer, seconds
from .waiting import LASTING, surely

if TYPE_CHECKING:
    from mautrix.client import Client

T = TypeVar("T")
RESTART_SYNC = 30.0


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
        values: Callable[[], Values],
        restart_sync: Callable[[], object],
        log: logging.Logger,
    ) -> None:
        self._client = client
        self._http = http
        self._bot = str(client.mxid)
        self._store = store
        self._encryption = encryption
        self._outbox = outbox
        self._delivery = delivery
        self._rooms = rooms
        self._handle = handle
        self._edits = Edits(http, store, delivery, handle, log)
        self._values = values
        self._restart_sync = restart_sync
        self._log = log
        self._queues = RoomQueues(self._event, log)
        self._late = LateKeys(encryption, self._queues.put)
        self._seen = Seen()
        self._gap: float | None = None
        """Since when something may be missing; ``None``: nothing is."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._order = Order(self._found)
        self._catch_up = catch_up(
            bot=self._bot,
            horizon=self._horizon,
            seen=self._seen.before,
            found=self._found,
            arrived=rooms.arrived,
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
        gap, self._gap = self._gap, None
        if gap is not None:
            self._spawn(self._catch_up.everywhere(gap))
        for room in answer.rooms():
            for state in answer.state(room):
                if state.get("type") == "m.room.encryption" and state.get("state_key") == "":
                    self._encryption.seen_encrypted(room)
                elif self._rooms.own_membership(room, state):
                    self._spawn(self._rooms.arrived(room, state))
            if answer.limited(room) and gap is None:
                self._spawn(self._catch_up.room(room, time.monotonic()))
            self._order.put(room, list(answer.timeline(room)))
        for room, sender in answer.invites(self._bot):
            self._spawn(self._rooms.invited(room, sender))

    async def on_sync_error(self, event: Any) -> None:
        self._missing(time.monotonic())
        self._encryption.forget_plain()

    async def on_sync_stopped(self, event: Any) -> None:
        """A fatal error ended the sync: begin again, or the bot would be deaf until a restart."""
        self._missing(time.monotonic())
        if isinstance(event, dict) and event.get("error") is not None:
            await asyncio.sleep(RESTART_SYNC)
            self._restart_sync()

    def _missing(self, since: float) -> None:
        self._gap = since if self._gap is None else min(self._gap, since)

    # -- into the queues ---------------------------------------------------------------------

    def _found(self, room: str, events: list[Raw]) -> None:
        for event in events:
            event_id = event.get("event_id")
            if event.get("type") not in TIMELINE or event.get("sender") == self._bot:
                continue
            if isinstance(event_id, str) and self._seen.new(event_id):
                self._queues.put(room, event)

    async def _horizon(self, room: str) -> float:
        """What is older is not answered: the age limit, the bot's own join, the age of the database."""
        # In the homeserver's time, as that of the events is.
        now = time.time() - self._http.ahead
        age = now - self._values().catch_up.max_age_hours * 3600
        installed = self._store.installed_at - self._http.ahead
        # Not in the future: our clock was wrong then, and has been put right.
        return max(age, installed if installed <= now else 0.0, await self._rooms.since(room))

    async def _event(self, raw: Raw) -> None:
        """One event out of its room's queue. What fails for now is found again by the next walk."""
        try:
            await self._take(raw)
        except LASTING:
            raise
        except Exception:
            self._missing(self._seen.failed(raw["event_id"]))
            raise

    async def _take(self, raw: Raw) -> None:
        room, event_id, sender = raw["room_id"], raw["event_id"], raw.get("sender")
        encrypted = raw.get("type") == "m.room.encrypted"
        if encrypted:
            self._encryption.doubt(room)
        if not isinstance(sender, str) or seconds(raw) < await self._surely(lambda: self._horizon(room)):
            return
        if raw.get("type") == "m.room.redaction":
            await self._redaction(room, raw)
            return
        if await self._surely(lambda: self._store.is_handled(event_id)):
            return
        if encrypted and self._late.waits(raw):
            return
        try:
            readable = await self._encryption.readable(raw)
        except KeyMissing as missing:
            self._late.park(missing.session_id, raw)
            return
        message = None if readable is None else from_raw(readable, encrypted=encrypted, own_id=self._bot)
        if message is None or message.own or message.msgtype == "m.notice":
            return
        placed = await self._edits.in_place(message)
        if placed is not None:
            await self._carry_out(placed)

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
        try:
            if message.edit_id is not None:
                return await self._edits.outcome(message)
            return await self._handle(message)
        except Exception as error:
            self._log.error("A command failed with %s:\n%s", type(error).__name__, places(error))
            return say(texts.INTERNAL)

    # -- what follows ------------------------------------------------------------------------

    async def _commit(self, message: Message, outcome: Outcome) -> None:
        key = key_of(self._bot, message.room_id, message.event_id, message.edit_id)
        self._outbox.said.note(key, message.timestamp / 1000)
        parts: list[Part] = []
        request = None if outcome.request is None else await self._request(message, key, outcome.request)
        if request is not None:
            parts += self._delivery.first_parts(request)
        if outcome.reply is not None:
            content = await contents.notice(outcome.reply.text, key, "reply", message)
            parts.append(Part(key=key, part="reply", room_id=message.room_id, content=content))
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
        self._outbox.enqueue(parts)
        if request is not None:
            self._delivery.accepted_request(request)

    async def _request(self, message: Message, key: str, new: NewRequest) -> Request:
        now = time.time()
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
            return await self._encryption.is_encrypted(room)
        except MatrixError:
            return True  # not known: the careful answer

    async def _surely(self, call: Callable[[], Awaitable[T]]) -> T:
        return await surely(call, self._log)
