"""The plugin's database: requests, parts, handled events, rooms. Its tables are modules beside this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mautrix.util.async_db import Connection, Database

from ..clock import Clock
from . import inserts
from . import queries as sql
from .durability import sqlite_full
from .kept_store import KeptStore
from .part_store import PartStore
from .quotas import Over, Quota
from .request_store import RequestStore
from .room_store import RoomStore
from .rows import Kept, Part, Request, RoomStyle

DAY = 86_400.0
KEEP_REQUESTS = 30 * DAY
KEEP_HANDLED = 45 * DAY
"""Longer than any age limit of backfill, or an old command would run again."""
KEEP_PICTURES = 400 * DAY
"""Links between events and pictures, so that deleting an event deletes the archived picture."""


@dataclass(frozen=True, kw_only=True)
class Commit:
    """What one handled message leads to, stored in one transaction."""

    mark: str | None
    """Id of the event that is handled with it."""
    room_id: str
    request: Request | None = None
    parts: Sequence[Part] = ()
    cancel: Sequence[str] = ()
    stop: Sequence[str] = ()
    """Requests that end with what has come of them; one that is not with the worker any more is cancelled."""
    outcome: str = "cancelled"
    """Of what is cancelled; ``replaced`` by what the edited message asks for now."""
    setting: tuple[str, str | None] | None = None
    style: RoomStyle | None = None
    """Of the room's own, to be saved."""
    unstyle: str | None = None
    """The key of one that is deleted."""
    kept: tuple[Part, Kept] | None = None
    """A picture that stands in the room, and who keeps it."""
    discarded: Part | None = None
    """A picture that stands in the room, and whose file is to be deleted."""
    told: Sequence[str] = ()
    """Warnings that the room is told with it, by what :func:`~.room_store.told_as` makes of them."""
    quotas: Sequence[Quota] = ()
    """What the request has to be within, or nothing of all this is stored."""


@dataclass(frozen=True, kw_only=True)
class Committed:
    """``fresh`` is false when the event had been handled before; then nothing was stored."""

    fresh: bool
    cancelled: tuple[Request, ...] = ()
    stopped: tuple[Request, ...] = ()
    over: Over | None = None
    """The request was too much, so nothing was stored."""


class _TooMuch(Exception):
    """Undoes the transaction."""

    def __init__(self, over: Over) -> None:
        super().__init__("over a quota")
        self.over = over


class Store(RequestStore, PartStore, KeptStore, RoomStore):
    """All SQL of the plugin runs here."""

    def __init__(self, db: Database, clock: Clock | None = None) -> None:
        super().__init__(db, clock)
        self.installed_at = 0.0

    async def open(self) -> None:
        """Set the connection up and learn when this database was made."""
        await sqlite_full(self.db)
        now = repr(self.clock.now())
        await self.db.execute(sql.INSTALLED, "installed_at", now)
        stored = await self.db.fetchval(sql.META, "installed_at")
        self.installed_at = float(stored)
        if stored == now and not self.clock.known:
            self.clock.settled.append(self._installed_by_another_clock)

    def _installed_by_another_clock(self, later: float) -> None:
        """The first start happened before the homeserver's time was known: correct the time of installation."""
        self.installed_at += later
        self.begin(self.move_row(sql.META_SET, "installed_at", repr(self.installed_at)))

    async def is_handled(self, event_id: str) -> bool:
        return await self.db.fetchval(sql.IS_HANDLED, event_id) is not None

    async def commit(self, commit: Commit) -> Committed:
        """Store everything that follows from one message, or nothing if it was handled before."""

        async def work(conn: Connection) -> Committed:
            now = self.clock.now()
            if commit.mark is not None:
                new = await conn.fetchrow(sql.MARK_HANDLED, commit.mark, commit.room_id, now)
                if new is None:
                    return Committed(fresh=False)
            tried = {key: await inserts.stop(conn, key, commit.room_id) for key in commit.stop}
            cancel = [*commit.cancel, *(key for key, done in tried.items() if done is None)]
            cancelled = [await inserts.cancel(conn, key, commit.room_id, now, commit.outcome) for key in cancel]
            if commit.request is not None:
                # After the cancelling, which may make room for it.
                over = await inserts.too_much(conn, commit.request, commit.quotas, now)
                if over is not None:
                    raise _TooMuch(over)
                await inserts.add_request(conn, commit.request)
            for part in commit.parts:
                await inserts.add_part(conn, part, now)
            for what in commit.told:
                await conn.execute(sql.TELL, commit.room_id, what, now)
            if commit.setting is not None:
                await inserts.put_setting(conn, commit.room_id, *commit.setting)
            if commit.style is not None:
                await inserts.save_style(conn, commit.room_id, commit.style, now)
            if commit.unstyle is not None:
                await conn.execute(sql.DELETE_STYLE, commit.room_id, commit.unstyle)
            if commit.kept is not None:
                await inserts.keep(conn, *commit.kept, now)
            if commit.discarded is not None:
                await inserts.discard(conn, commit.discarded, now)
            return Committed(
                fresh=True,
                cancelled=tuple(request for request in cancelled if request is not None),
                stopped=tuple(request for request in tried.values() if request is not None),
            )

        try:
            return await self.write(work, alone=bool(commit.quotas))
        except _TooMuch as too_much:
            return Committed(fresh=True, over=too_much.over)

    async def prune(self, now: float) -> None:
        """Delete rows past their retention."""

        async def work(conn: Connection) -> None:
            await conn.execute(sql.PRUNE_HANDLED, now - KEEP_HANDLED)
            await conn.execute(sql.PRUNE_TOLD, now - 2 * DAY)
            await conn.execute(sql.PRUNE_REQUESTS, now - KEEP_REQUESTS)
            await conn.execute(sql.PRUNE_PARTS, now - KEEP_REQUESTS)
            await conn.execute(sql.PRUNE_PICTURES, now - KEEP_PICTURES)

        await self.write(work)
