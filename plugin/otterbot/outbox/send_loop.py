"""The one sender of an account: one event at a time, by rank and in fair turns, each exactly once.

A part is marked ``sending`` (committed) before its request goes out and ``sent`` after the answer.
A part that stands in ``sending`` without an answer, at a start or after a lost one, is first looked
for among the bot's own recent events; only if it is not there is it sent again, with the same
transaction id. So is everything that is owed from before the start (:mod:`.sent_before`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import replace

from ..errors import AnswerLost, CannotEncrypt, MatrixError, MatrixRefused, NotAllowed, RateLimited, TooLarge
from ..matrix import event_content
from ..store.part_names import ACK, DONE, SAME, UNACK
from ..store.rows import Kind, PartState, Rank
from ..store.store import Store
from ..waiting import news
from .builder import Builder, Builds
from .entries import Entry
from .listeners import PartListener, RoomRules
from .offers import is_late, is_offer
from .queue import Outbox
from .results import Results
from .room_watch import RoomWatch
from .sender import Done, Sender

PATIENCE = 20.0
"""Seconds after which a rate-limited reaction is dropped."""
FORGOING = frozenset({ACK, UNACK, DONE, SAME})


class SendLoop:
    """Processes the outbox: builds contents, sends them, watches blocked rooms."""

    def __init__(
        self,
        outbox: Outbox,
        store: Store,
        sender: Sender,
        *,
        builders: Mapping[str, Builder],
        listener: PartListener,
        rules: RoomRules,
        log: logging.Logger,
    ) -> None:
        """``builders`` by the family of the parts that they make (``picture``, ``chat``)."""
        self._outbox = outbox
        self._store = store
        self._sender = sender
        self._log = log
        self._results = Results(outbox, store, listener, log)
        self._builds = Builds(outbox, self._results, builders, log)
        self._watch = RoomWatch(outbox, self._results, store, rules, log)
        self._throttled_until = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Enqueue the database's unsent parts, then start."""
        await self._outbox.take_up()
        works = {"otterbot outbox": self._run, "otterbot builds": self._builds.run, "otterbot rooms": self._watch.run}
        self._tasks = [asyncio.create_task(run(), name=name) for name, run in works.items()]

    async def stop(self) -> None:
        self._outbox.stopped = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._watch.stop()
        await self._builds.stop()

    # -- sending -----------------------------------------------------------------------------

    def _next(self) -> tuple[Entry | None, float | None]:
        """The next entry to send, or how long to wait for one."""
        now = time.monotonic()
        ready = self._outbox.sendable()
        if not ready:
            return None, None
        if self._throttled_until > now:
            return None, self._throttled_until - now
        due = [entry for entry in ready if entry.not_before <= now]
        if not due:
            return None, min(entry.not_before for entry in ready) - now
        return self._outbox.turns.first(due), None

    async def _run(self) -> None:
        while True:
            self._outbox.news.clear()
            entry, wait = self._next()
            if entry is None:
                await news(self._outbox.news, wait)
                continue
            self._outbox.turns.served(entry)
            try:
                await self._handle(entry)
            except Exception as error:
                # A database error, most likely: nothing is lost, and it is retried.
                self._log.error("Cannot send %s yet: %s", entry.part.part, type(error).__name__)
                entry.not_before = time.monotonic() + entry.backoff()
                if entry.stored and entry.part.kind is not Kind.REDACTION:
                    entry.lookup, entry.part = True, replace(entry.part, updated_at=self._store.clock.now())

    async def _handle(self, entry: Entry) -> None:
        if is_offer(entry):
            await self._offer(entry)
            return
        if entry.part.rank == Rank.REPEAT and time.monotonic() - entry.since > PATIENCE:
            await self._results.failed(entry, "throttled")
            return
        try:
            if entry.lookup:
                await self._look_up(entry)
            else:
                await self._done(entry, await self._sender.send(entry))
        except RateLimited as limit:
            await self._throttled(entry, limit)
        except AnswerLost:
            await self._lost(entry)
        except TooLarge:
            await self._too_large(entry)
        except CannotEncrypt:
            await self._results.cannot_encrypt(entry)
        except NotAllowed:
            await self._results.forbidden(entry)
        except MatrixRefused as refusal:
            await self._refused(entry, refusal)

    async def _offer(self, entry: Entry) -> None:
        """Once, or not at all."""
        self._outbox.forget(entry)
        if is_late(entry):
            return
        try:
            await self._sender.send(entry)
        except RateLimited as limit:
            await self._throttled(entry, limit)
        except MatrixError as error:
            self._log.info("A reaction is not offered: %s", type(error).__name__)

    async def _look_up(self, entry: Entry) -> None:
        attempted = entry.tries > 0 or entry.part.state is PartState.SENDING
        verdict = await self._outbox.sent_before.look(entry.part, attempted=attempted)
        if verdict.event_id is not None:
            await self._results.sent(entry, verdict.event_id)
            return
        if verdict.over:
            await self._results.ended_before(entry)
            return
        entry.lookup = False
        await self._store.unmark_sending(*entry.part.id)  # not in the room: it may now be moved or dropped
        if self._outbox.blocked.blocks(entry):
            self._outbox.blocked.changed(entry.part.room_id)
        elif entry.content is None:
            self._outbox.want_content(entry)

    async def _done(self, entry: Entry, done: Done | str) -> None:
        match done:
            case Done.LATER:
                entry.not_before = time.monotonic() + 1.0
            case Done.NEVER:
                await self._results.failed(entry, "missing")
            case Done.UNWANTED:
                await self._results.unwanted(entry)
            case Done.STALE:
                entry.content, entry.plain_media = None, False
                self._outbox.want_content(entry)
            case str():
                await self._results.sent(entry, done)

    # -- how it went -------------------------------------------------------------------------

    async def _lost(self, entry: Entry) -> None:
        if not entry.stored:
            self._outbox.forget(entry)  # a newer edit follows anyway
            return
        entry.not_before = time.monotonic() + entry.backoff()
        stored = await self._store.part(*entry.part.id)
        if stored is not None and stored.state is PartState.SENDING and entry.part.kind is not Kind.REDACTION:
            entry.part = replace(entry.part, updated_at=stored.updated_at)
            entry.lookup = True

    async def _throttled(self, entry: Entry, limit: RateLimited) -> None:
        self._throttled_until = time.monotonic() + limit.retry_after
        self._outbox.tally.add_throttled(limit.retry_after)
        self._outbox.drop_offers()
        self._log.info("The homeserver lets us send again in %.1f s", limit.retry_after)
        if entry.stored and not entry.lookup:
            # It was not carried out: until the next attempt it can be taken back. (While it is still looked for,
            # it may have been: only the search was refused.)
            await self._store.unmark_sending(*entry.part.id)
        if entry.part.part in FORGOING and time.monotonic() - entry.since + limit.retry_after > PATIENCE:
            await self._results.failed(entry, "throttled")

    async def _too_large(self, entry: Entry) -> None:
        content = entry.content or {}
        inner = content.get("content") if entry.part.kind is Kind.EDIT and entry.stored else None
        smaller = event_content.shorter(inner if isinstance(inner, dict) else content)
        if smaller is None:
            await self._results.failed(entry, "too_large")
        else:
            entry.content = {**content, "content": smaller} if isinstance(inner, dict) else smaller

    async def _refused(self, entry: Entry, refusal: MatrixRefused) -> None:
        if refusal.errcode == "M_DUPLICATE_ANNOTATION":
            found = await self._outbox.sent_before.find(entry.part)
            await self._results.sent(entry, found)
        elif (
            refusal.status == 400
            and entry.stored
            and (plainer := event_content.without_thread(entry.content)) is not None
        ):
            entry.content = plainer  # this event cannot start a thread, so reply without one
        else:
            await self._results.failed(entry, "refused")
