"""Everything that the bot puts into rooms: one thing at a time, the worthiest first, in turns, each once.

A part is marked ``sending`` (committed) before its request goes out and ``sent`` after the answer.
A part that stands in ``sending`` without an answer, at a start or after a lost one, is first looked
for among the bot's own recent events; only if it is not there is it sent again, with the same
transaction id. So is everything that is owed from before the start (``said``). Edits that show
progress are not stored: the newest replaces the one that waits.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

from ..errors import AnswerLost, CannotEncrypt, MatrixRefused, NotAllowed, RateLimited, TooLarge
from ..matrix import event_content
from ..matrix.encryption import Encryption
from ..matrix.http import MatrixHttp
from ..store.rows import Kind, Part, PartState, Rank
from ..store.store import Store
from ..waiting import news, surely
from .blocked_rooms import BarredRooms
from .builder import Builder, Builds, Entry
from .fair_turns import Turns
from .find_sent import find_sent
from .listeners import Hooks, tell
from .sender import Done, Sender
from .sent_before import Said

PATIENCE = 20.0
"""Seconds; a reaction that the homeserver's limits hold up for longer is not worth sending."""
FORGOING = frozenset({"ack", "unack", "done", "same"})


class Outbox:
    """The one sender of an account."""

    def __init__(self, store: Store, http: MatrixHttp, encryption: Encryption, bot: str, log: logging.Logger) -> None:
        self._store = store
        self._http = http
        self._encryption = encryption
        self._bot = bot
        self._log = log
        self._entries: dict[tuple[str, str], Entry] = {}
        self._wake = asyncio.Event()
        self._order = 0
        self._throttled_until = 0.0
        self._task: asyncio.Task[None] | None = None
        self._builds = Builds(self, log)
        self._sender = Sender(store, http, encryption)
        self.turns = Turns(store.clock)
        self.said = Said(http, encryption, bot, store.clock, log)
        self.barred = BarredRooms(self, self._entries, store, log)
        self.forbidden = self.barred.refused
        self.hooks: Hooks | None = None

    # -- life --------------------------------------------------------------------------------

    def register_builder(self, prefix: str, builder: Builder) -> None:
        """``builder`` makes the parts whose names begin with ``prefix`` (``picture``, ``chat``)."""
        self._builds.builders[prefix] = builder

    async def start(self) -> None:
        """Take up what stands in the database. Builders and hooks must be there."""
        await self.said.start(self._store)
        self.enqueue(await self._store.pending_parts())
        self._task = asyncio.create_task(self._run(), name="otterbot outbox")

    async def stop(self) -> None:
        await self.barred.stop()  # first: it begins builds
        tasks = [entry.build for entry in self._entries.values() if entry.build is not None]
        if self._task is not None:
            tasks.append(self._task)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- what goes in ------------------------------------------------------------------------

    def enqueue(self, parts: Iterable[Part]) -> None:
        """Send parts that are stored already."""
        for part in parts:
            if part.id in self._entries or self.barred.stopped:
                continue  # (what is stored while we stop is found by the next start)
            self._order += 1
            entry = Entry(part, self._order, lookup=self.said.concerns(part), content=part.content)
            self._entries[part.id] = entry
            if entry.content is None and not entry.lookup:
                self._builds.begin(entry)
        self._wake.set()

    async def post(self, part: Part) -> bool:
        """Store a part and send it; false if its request has such a part already.

        Whoever is cancelled meanwhile leaves no part behind that is stored and not sent.
        """
        return await asyncio.shield(asyncio.create_task(self._post(part), name="otterbot post"))

    async def _post(self, part: Part) -> bool:
        added = await self._store.add_part(part)
        if added:
            self.enqueue([part])
        return added

    def edit(self, key: str, name: str, room: str, target: str, content: dict[str, Any]) -> None:
        """Show ``content`` in place of ``target``. Not stored; a newer edit of the same name replaces it."""
        part = Part(key=key, part=name, room_id=room, kind=Kind.EDIT, rank=Rank.EDIT)
        old = self._entries.get(part.id)
        self._order += 1
        self._entries[part.id] = Entry(
            part,
            old.order if old is not None else self._order,
            stored=False,
            content=event_content.edit(content, target),
        )
        self._wake.set()

    def drop_edit(self, key: str, name: str) -> None:
        """No further edit of that name: what waits is out of date."""
        entry = self._entries.get((key, name))
        if entry is not None and not entry.stored:
            self.forget(entry)

    async def withdraw(self, key: str, name: str) -> bool:
        """Take back a part that has not been begun; false if it stands in the room, or may."""
        entry = self._entries.get((key, name))
        dropped = await self._store.drop(key, name)
        if dropped and entry is not None:
            self.forget(entry)
        return dropped

    async def give_up(self, key: str, name: str) -> None:
        """That part will never be: its result is gone, or nobody wants it any more."""
        entry = self._entries.get((key, name))
        if entry is not None:
            await self.fail(entry, "gone")

    def waiting(self, key: str, name: str) -> bool:
        return (key, name) in self._entries

    def rebuild(self, key: str, name: str, image_id: str | None = None) -> None:
        """Build that part (again), perhaps from another picture."""
        entry = self._entries.get((key, name))
        if entry is None or entry.content is not None:
            return
        if image_id is not None:
            entry.part = replace(entry.part, image_id=image_id)
        if not entry.lookup and (entry.build is None or entry.build.done()):
            self._builds.begin(entry)

    def retry_builds(self) -> None:
        """The worker is back: what could not be fetched is fetched now."""
        self._builds.hurry()
        for entry in list(self._entries.values()):
            self.rebuild(*entry.part.id)

    def built(self, entry: Entry) -> None:
        """A build has ended, well or not."""
        self._wake.set()

    def wants(self, entry: Entry) -> bool:
        """Is the entry still to be sent?"""
        return self._entries.get(entry.part.id) is entry

    # -- sending -----------------------------------------------------------------------------

    def _next(self) -> tuple[Entry | None, float | None]:
        """What goes out now, or how long to wait for something to."""
        now = time.monotonic()
        ready = [entry for entry in self._entries.values() if entry.sendable and not self.barred.bars(entry)]
        if not ready:
            return None, None
        if self._throttled_until > now:
            return None, self._throttled_until - now
        due = [entry for entry in ready if entry.not_before <= now]
        if not due:
            return None, min(entry.not_before for entry in ready) - now
        return self.turns.first(due), None

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            entry, wait = self._next()
            if entry is None:
                await news(self._wake, wait)
                continue
            self.turns.served(entry)
            try:
                await self._handle(entry)
            except Exception as error:
                # The database, most likely: nothing is lost, it is tried again.
                self._log.error("Cannot send %s yet: %s", entry.part.part, type(error).__name__)
                entry.not_before = time.monotonic() + entry.backoff()
                if entry.stored and entry.part.kind is not Kind.REDACTION:
                    entry.lookup, entry.part = True, replace(entry.part, updated_at=self._store.clock.now())

    async def _handle(self, entry: Entry) -> None:
        if entry.part.rank == Rank.REPEAT and time.monotonic() - entry.since > PATIENCE:
            await self.fail(entry, "throttled")
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
            await self.cannot_encrypt(entry)
        except NotAllowed:
            await self.forbidden(entry)
        except MatrixRefused as refusal:
            await self._refused(entry, refusal)

    async def _look_up(self, entry: Entry) -> None:
        attempted = entry.tries > 0 or entry.part.state is PartState.SENDING
        verdict = await self.said.look(entry.part, attempted=attempted)
        if verdict.event_id is not None:
            await self._sent(entry, verdict.event_id)
            return
        if verdict.over:
            await self._unsaid(entry)
            return
        entry.lookup = False
        await self._store.unmark_sending(*entry.part.id)  # it is not there: it may move with its request, or be dropped
        if self.barred.bars(entry):
            self.barred.heard(entry.part.room_id)
        elif entry.content is None:
            self._builds.begin(entry)

    async def _done(self, entry: Entry, done: Done | str) -> None:
        match done:
            case Done.LATER:
                entry.not_before = time.monotonic() + 1.0
            case Done.NEVER:
                await self.fail(entry, "missing")
            case Done.UNWANTED:
                await self.barred.unwanted(entry)
            case Done.STALE:
                entry.content, entry.plain_media = None, False
                self._builds.begin(entry)
            case str():
                await self._sent(entry, done)

    # -- how it went -------------------------------------------------------------------------

    async def _sent(self, entry: Entry, event_id: str | None) -> None:
        if not entry.stored:
            self.forget(entry)
            return
        await self._surely(lambda: self._store.mark_sent(entry.part, event_id))
        self.forget(entry)
        await self.hook("sent", entry.part, event_id)

    async def fail(self, entry: Entry, reason: str) -> None:
        if entry.stored:
            await self._surely(lambda: self._store.mark_failed(*entry.part.id, reason))
        self.forget(entry)
        if entry.stored:
            self._log.warning("Gave up sending %s: %s", entry.part.part, reason)
            await self.hook("failed", entry.part, reason)

    async def _unsaid(self, entry: Entry) -> None:
        """Its request ended in the room before this start, whatever the database thinks."""
        await self._surely(lambda: self._store.mark_failed(*entry.part.id))
        self.forget(entry)
        await self.hook("failed", entry.part, "gone")

    async def _lost(self, entry: Entry) -> None:
        if not entry.stored:
            self.forget(entry)  # a newer state of the text comes anyway
            return
        entry.not_before = time.monotonic() + entry.backoff()
        stored = await self._store.part(*entry.part.id)
        if stored is not None and stored.state is PartState.SENDING and entry.part.kind is not Kind.REDACTION:
            entry.part = replace(entry.part, updated_at=stored.updated_at)
            entry.lookup = True

    async def _throttled(self, entry: Entry, limit: RateLimited) -> None:
        self._throttled_until = time.monotonic() + limit.retry_after
        self._log.info("The homeserver lets us send again in %.1f s", limit.retry_after)
        if entry.stored and not entry.lookup:
            # It was not carried out: until the next attempt it can be taken back. (While it is still looked for,
            # it may have been: only the search was refused.)
            await self._store.unmark_sending(*entry.part.id)
        if entry.part.part in FORGOING and time.monotonic() - entry.since + limit.retry_after > PATIENCE:
            await self.fail(entry, "throttled")

    async def _too_large(self, entry: Entry) -> None:
        content = entry.content or {}
        inner = content.get("content") if entry.part.kind is Kind.EDIT and entry.stored else None
        smaller = event_content.shorter(inner if isinstance(inner, dict) else content)
        if smaller is None:
            await self.fail(entry, "too_large")
        else:
            entry.content = {**content, "content": smaller} if isinstance(inner, dict) else smaller

    async def cannot_encrypt(self, entry: Entry) -> None:
        await self.fail(entry, "cannot_encrypt")
        if entry.stored and entry.part.kind is Kind.MESSAGE and self.hooks is not None:
            notice = await self.hooks.no_encryption(entry.part)
            if notice is not None:
                self.enqueue([notice])

    async def _refused(self, entry: Entry, refusal: MatrixRefused) -> None:
        if refusal.errcode == "M_DUPLICATE_ANNOTATION":
            found = await find_sent(self._http, self._encryption, self._bot, entry.part, self._store.clock.now())
            await self._sent(entry, found)
        elif (
            refusal.status == 400
            and entry.stored
            and (plainer := event_content.without_thread(entry.content)) is not None
        ):
            entry.content = plainer  # no thread can begin where somebody wanted one
        else:
            await self.fail(entry, "refused")

    def forget(self, entry: Entry) -> None:
        if self._entries.get(entry.part.id) is entry:
            del self._entries[entry.part.id]

    async def _surely(self, write: Callable[[], Awaitable[object]]) -> None:
        """A mark has to be made: without it the same thing would be sent again."""
        await surely(write, self._log, for_ever=True)

    async def hook(self, name: str, *args: Any) -> None:
        await tell(self.hooks, name, self._log, *args)
