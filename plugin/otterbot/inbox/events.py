"""Receives the rooms' messages: each is handled once, in order, whenever its room key arrives.

Events come from raw sync answers and from backfill. Both go through one queue per room, which checks in the database
whether an event was handled. The outcome of a message is committed together with its mark "handled".
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from mautrix.client import InternalEventType

from ..clock import Polls
from ..commands.limits import Limits
from ..commands.outcome import Outcome
from ..config import Values
from ..language.message import Message
from ..language.reaction import Reaction
from ..matrix.encryption import Encryption
from ..matrix.http import MatrixHttp
from ..matrix.sync_answer import TIMELINE, Raw, SyncAnswer, joins
from ..outbox.queue import Outbox
from ..requests.delivery import Delivery
from ..store.store import Store
from ..waiting import LASTING
from .backfill import Backfill
from .dedup import Dedup
from .edits import Edits
from .failures import Failures
from .follow_ups import FollowUps
from .handler import Handler
from .holdback import Holdback
from .membership import Membership
from .queues import RoomQueues
from .timeline import SaidTimes, dated, said_at, since_invited
from .undecrypted import Undecrypted
from .unread import Unread

if TYPE_CHECKING:
    from mautrix.client import Client

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
        rooms: Membership,
        *,
        handle: Callable[[Message], Awaitable[Outcome | None]],
        react: Callable[[Reaction], Awaitable[Outcome | None]],
        unread: Unread,
        values: Callable[[], Values],
        limits: Limits,
        restart_sync: Callable[[], object],
        members_changed: Callable[[str], object] = lambda room: None,
        room_changed: Callable[[str, Raw], None] = lambda room, state: None,
        log: logging.Logger,
    ) -> None:
        self._client = client
        self._bot = str(client.mxid)
        self._store = store
        self._clock = store.clock
        self._encryption = encryption
        self._rooms = rooms
        self._values = values
        self._restart_sync = restart_sync
        self._members_changed = members_changed
        self._room_changed = room_changed
        self._unread = unread
        self._queues = RoomQueues(self._event, log)
        self._late = Undecrypted(encryption, self._queues.put, unread, log)
        self._seen = Dedup()
        self._failures = Failures()
        self._polls = Polls(store.clock)
        self._said = SaidTimes()
        self._gap: float | None = None
        """Since when events may be missing; ``None``: none are."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._order = Holdback(self._found)
        self._backfill = Backfill(
            http,
            bot=self._bot,
            horizon=self._horizon,
            seen=self._seen.before,
            found=self._walked,
            arrived=self._came,
            order=self._order,
            log=log,
        )
        follow_ups = FollowUps(store, encryption, outbox, delivery, limits, bot=self._bot, values=values, log=log)
        self._handler = Handler(
            store,
            encryption,
            delivery.cancelling,
            follow_ups,
            Edits(http, store, delivery, handle, log, prefix=lambda: values().prefix),
            self._late,
            self._failures,
            handle=handle,
            react=react,
            horizon=self._horizon,
            bot=self._bot,
            log=log,
        )

    # -- life --------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen to the sync, and backfill all rooms."""
        client = self._client
        client.add_event_handler(InternalEventType.SYNC_SUCCESSFUL, self.on_sync, wait_sync=True)
        client.add_event_handler(InternalEventType.SYNC_ERRORED, self.on_sync_error)
        client.add_event_handler(InternalEventType.SYNC_STOPPED, self.on_sync_stopped)
        self._spawn(self._backfill.everywhere(time.monotonic()))

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
            self._spawn(self._backfill.everywhere(gap))
        for room, since in self._failures.due(time.monotonic()).items():
            self._spawn(self._backfill.room(room, since))
        for room in answer.rooms():
            for state in answer.state(room):
                self._room_changed(room, state)
                if state.get("type") == "m.room.encryption" and state.get("state_key") == "":
                    self._encryption.seen_encrypted(room)
                elif state.get("type") == "m.room.member":
                    self._members_changed(room)
                if joins(state, self._bot):
                    [came] = dated([state], self._bot, earliest=earliest, latest=latest)
                    self._came(room, came, said_at(came))
            timeline = answer.timeline(room)
            back = any(joins(each, self._bot) for each in timeline)  # the bot may have been in it before
            if gap is None and (back or answer.limited(room)):
                self._spawn(self._backfill.room(room, time.monotonic()))
            counts = since_invited(answer.before(room), timeline, self._bot)
            heard = dated(counts, self._bot, earliest=earliest, latest=latest)
            self._said.note(heard)
            self._order.put(room, heard)
        for room in answer.left():
            for state in answer.state(room):
                self._room_changed(room, state)
        for room, sender in answer.invites(self._bot):
            self._spawn(self._rooms.invited(room, sender))

    def _came(self, room: str, event: Raw, at: float | None = None) -> None:
        self._spawn(self._rooms.arrived(room, event, at))

    async def on_sync_error(self, event: Any) -> None:
        self._missing(time.monotonic())
        self._late.hearing(works=False)
        self._encryption.forget_plain()

    async def on_sync_stopped(self, event: Any) -> None:
        """A fatal error ended the sync: restart it, or the bot would receive nothing until a restart."""
        self._missing(time.monotonic())
        self._late.hearing(works=False)
        if isinstance(event, dict) and event.get("error") is not None:
            await asyncio.sleep(RESTART_SYNC)
            self._restart_sync()

    def _missing(self, since: float) -> None:
        self._gap = since if self._gap is None else min(self._gap, since)

    # -- into the queues ---------------------------------------------------------------------

    def _walked(self, room: str, events: list[Raw]) -> None:
        """Events that a walk found. Their time is known only from their own timestamps, unless the sync brought them
        too."""
        self._found(room, dated(events, self._bot, latest=self._clock.now(), heard=self._said))

    def _found(self, room: str, events: list[Raw]) -> None:
        for event in events:
            event_id = event.get("event_id")
            if event.get("type") not in TIMELINE or "state_key" in event or event.get("sender") == self._bot:
                continue
            if isinstance(event_id, str) and self._seen.new(event_id):
                self._queues.put(room, event)

    async def _horizon(self) -> float:
        """The oldest time that is answered: from the age limit, and the age of the database."""
        await self._clock.settle()
        now, installed = self._clock.now(), self._store.installed_at
        age = now - self._values().catch_up.max_age_hours * 3600
        # Never in the future: the clock was wrong at the installation.
        return max(age, installed if installed <= now else 0.0)

    async def _event(self, raw: Raw) -> None:
        """Handle one event from its room's queue. What fails now is found again by the next walk."""
        event_id = raw["event_id"]
        try:
            await self._handler.take(raw)
        except LASTING:
            raise
        except Exception:
            self._failures.failed(event_id, raw["room_id"], self._seen.failed(event_id), time.monotonic())
            raise
        self._failures.over(event_id)
