"""Jobs, rows and pictures in SQLite. Every transition is one statement that says whether it happened.

The SQL stands in ``queries``; this class gives it types. Times are Unix seconds.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import aiosqlite

from ..schemas.resolved import ResolvedChat, ResolvedRequest
from . import queries as q
from .database import Database
from .model import (
    CHAT_TEXT_SECONDS,
    GPU_DEATHS_ALLOWED,
    KEY_DAYS,
    WORKER_DEATHS_ALLOWED,
    ImageRow,
    Kind,
    NewRow,
    Row,
    StoredJob,
)


class KeyReused(Exception):
    """The client's key belongs to a job with another body."""


class InputGone(Exception):
    """The picture that the job starts from is not here any more."""


class QueueFull(Exception):
    """``limit`` open rows wait or run already; ``of_owner`` says whose."""

    def __init__(self, limit: int, *, of_owner: bool) -> None:
        super().__init__("the queue is full")
        self.limit = limit
        self.of_owner = of_owner


@dataclass(frozen=True, kw_only=True)
class Limits:
    open_rows: int
    """Of one client."""
    open_rows_per_owner: int


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A job as it is to be stored: resolved, with its rows."""

    client: str
    key: str
    body_hash: str
    kind: Kind
    owner: str
    room: str
    private: bool
    request: ResolvedRequest | ResolvedChat
    content: list[dict[str, str]] | None
    rows: Sequence[NewRow]
    input_ids: Sequence[str] = ()
    """The pictures that it needs."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Queued rows of one owner that are alike."""

    client: str
    owner: str
    kind: Kind
    model: str
    count: int
    work: float
    first_seq: int


@dataclass(frozen=True, kw_only=True)
class Head:
    """The first queued row of a group: what the schedule chooses from."""

    seq: int
    client: str
    owner: str
    kind: Kind
    model: str
    overtaken: int
    overtaken_at: float | None


@dataclass(frozen=True, kw_only=True)
class Death:
    """What the death of a process made of a row."""

    job_id: str
    client: str
    final: bool


class Store:
    def __init__(self, database: Database) -> None:
        self._db = database

    # ------------------------------------------------------------ submitting

    async def by_key(self, client: str, key: str) -> StoredJob | None:
        found = await self._db.fetch_one(q.JOB_BY_KEY, (client, key))
        return StoredJob.from_row(found) if found else None

    async def submit(self, new: Submission, limits: Limits, now: float) -> tuple[StoredJob, bool]:
        """Stores a job, or finds the one that its key belongs to; ``True`` where it is new.

        :raises KeyReused: :raises QueueFull: :raises InputGone:
        """
        async with self._db.transaction() as connection:
            known = await _one(connection, q.JOB_BY_KEY, (new.client, new.key))
            if known is not None:
                if known["body_hash"] != new.body_hash:
                    raise KeyReused
                return StoredJob.from_row(known), False
            await _check_limits(connection, new, limits)
            for input_id in new.input_ids:
                # In this transaction, so that it is not removed as unused before the job says that it needs it.
                touch = (now, new.private, new.client, input_id)
                if await _one(connection, q.TOUCH_INPUT, touch) is None:
                    raise InputGone
            # In order of time, so that neighbours in time are neighbours in the index.
            job_id = f"{int(now * 1000):012x}{secrets.token_hex(10)}"
            content = None if new.content is None else json.dumps(new.content, ensure_ascii=False)
            request = new.request.model_dump_json()
            values = (job_id, new.client, new.key, new.body_hash, new.kind, new.owner, new.room, new.private, now)
            stored = await _one(connection, q.INSERT_JOB, (*values, request, content))
            await connection.executemany(
                q.INSERT_ROW,
                [
                    (job_id, idx, new.client, new.owner, new.kind, row.model, row.work, row.seed, now)
                    for idx, row in enumerate(new.rows)
                ],
            )
            assert stored is not None
            return StoredJob.from_row(stored), True

    # ------------------------------------------------------------ reading

    async def job(self, job_id: str, client: str | None = None) -> StoredJob | None:
        """``client``: only if it is that client's."""
        found = await self._db.fetch_one(q.JOB, (job_id, client))
        return StoredJob.from_row(found) if found else None

    async def jobs(self, client: str, *, room: str | None, only_open: bool, limit: int) -> list[StoredJob]:
        sql = q.OPEN_JOBS if only_open else q.JOBS
        return [StoredJob.from_row(found) for found in await self._db.fetch(sql, (client, room, limit))]

    async def rows(self, job_ids: Iterable[str]) -> dict[str, list[Row]]:
        """The rows of each job, in order."""
        found: dict[str, list[Row]] = {job_id: [] for job_id in job_ids}
        for raw in await self._db.fetch(q.ROWS, (json.dumps(list(found)),)):
            row = Row.from_row(raw)
            found[row.job_id].append(row)
        return found

    async def row(self, seq: int) -> Row | None:
        found = await self._db.fetch_one(q.ROW, (seq,))
        return Row.from_row(found) if found else None

    async def open_counts(self) -> tuple[int, int]:
        """How many rows are queued and how many run."""
        found = await self._db.fetch_one(q.OPEN_COUNTS)
        return (int(found["queued"]), int(found["running"])) if found else (0, 0)

    async def open_elsewhere(self, client: str, room: str) -> int:
        """Open rows of everything but a client's room; only a number."""
        found = await self._db.fetch_one(q.OPEN_ELSEWHERE, (client, room))
        return int(found["count"]) if found else 0

    async def heads(self) -> list[Head]:
        return [Head(**dict(found)) for found in await self._db.scan(q.HEADS)]

    async def groups(self) -> list[Group]:
        return [Group(**dict(found)) for found in await self._db.scan(q.GROUPS)]

    async def waiting(self, client: str) -> list[tuple[str, str, Kind]]:
        """Id, owner and kind of each job with queued rows."""
        return [(row["job_id"], row["owner"], row["kind"]) for row in await self._db.scan(q.WAITING, (client,))]

    async def served(self) -> dict[tuple[str, str], float]:
        return {(found["client"], found["owner"]): found["at"] for found in await self._db.fetch(q.SERVED)}

    async def positions(self, client: str, owner: str | None) -> dict[str, tuple[int, int]]:
        """For each job of a client (or of one owner) with queued rows: how many of its owner's queued rows of the same
        kind come before its first queued one, and up to its last, itself included."""
        if owner is None:
            found = await self._db.scan(q.POSITIONS, (client,))
        else:
            found = await self._db.fetch(q.POSITIONS_OF_OWNER, (client, owner))
        return {row["job_id"]: (int(row["before"]), int(row["until"])) for row in found}

    # ------------------------------------------------------------ transitions

    async def claim(self, seq: int, overtaken: Sequence[int], now: float) -> Row | None:
        """``queued → running``, one more attempt; ``None``: it is not queued any more."""
        async with self._db.transaction() as connection:
            found = await _one(connection, q.CLAIM, (now, seq))
            if found is None:
                return None
            # Always later than everybody's: a clock that was set back must not send people to the end of the line.
            await connection.execute(q.SERVE, (found["client"], found["owner"], now))
            if overtaken:
                await connection.execute(q.OVERTAKE, (now, json.dumps(list(overtaken))))
            return Row.from_row(found)

    async def succeed(self, row: Row, result: dict[str, Any], image: ImageRow | None, now: float) -> bool:
        """``running → succeeded``; a picture becomes known with it. ``False``: it was cancelled meanwhile."""
        text = json.dumps(result, ensure_ascii=False)
        async with self._db.transaction() as connection:
            done = await _one(connection, q.SUCCEED, (text, now, row.job_id, row.idx, row.attempt))
            if done is not None and image is not None:
                where = (image.image_id, image.client, image.job_id, image.idx, image.relpath)
                what = (image.mimetype, image.thumbnail_type, image.private, image.created_at)
                await connection.execute(q.INSERT_IMAGE, (*where, *what))
            return done is not None

    async def fail(self, row: Row, error: dict[str, Any], now: float) -> bool:
        """``running → failed``."""
        values = (json.dumps(error, ensure_ascii=False), now, row.job_id, row.idx, row.attempt)
        return bool(await self._db.write(q.FAIL, values))

    async def give_back(self, row: Row) -> bool:
        """``running → queued``, as if it had never been claimed: a clean shutdown, a pause, a busy card."""
        return bool(await self._db.write(q.GIVE_BACK, (row.job_id, row.idx, row.attempt)))

    async def gpu_died(self, row: Row, error: dict[str, Any], now: float) -> Death | None:
        """``running → queued``, or ``failed`` with ``error`` when the GPU process has died during it too often."""
        values = (GPU_DEATHS_ALLOWED, json.dumps(error), now, row.job_id, row.idx, row.attempt)
        done = await self._db.write(q.GPU_DIED, values)
        return _death(done[0]) if done else None

    async def worker_restarted(self, error: dict[str, Any], now: float) -> list[Death]:
        """At start: what ran when the last worker ended without a word goes back to the queue, or fails with
        ``error`` when that happened to it too often."""
        done = await self._db.write(q.WORKER_DIED, (WORKER_DEATHS_ALLOWED, json.dumps(error), now))
        return [_death(row) for row in done]

    async def cancel(
        self, job_id: str, now: float, *, attempt: int = 0, partial: dict[str, Any] | None = None
    ) -> list[Row]:
        """Everything of a job that is not final becomes ``cancelled``; returns those rows. A turn that runs keeps
        ``partial``, what has come in that ``attempt`` of it, as its result."""
        kept = None if partial is None else json.dumps(partial, ensure_ascii=False)
        return [Row.from_row(row) for row in await self._db.write(q.CANCEL, (now, job_id, attempt, kept))]

    # ------------------------------------------------------------ pictures

    async def image(self, image_id: str, client: str) -> ImageRow | None:
        found = await self._db.fetch_one(q.IMAGE, (image_id, client))
        return ImageRow(**{**dict(found), "private": bool(found["private"])}) if found else None

    async def images_here(self) -> list[ImageRow]:
        found = await self._db.fetch(q.IMAGES_HERE)
        return [ImageRow(**{**dict(row), "private": bool(row["private"])}) for row in found]

    async def image_delivered(self, image_id: str, now: float) -> None:
        await self._db.write(q.IMAGE_DELIVERED, (now, image_id))

    async def images_gone(self, relpaths: Iterable[str], now: float) -> None:
        await self._db.write(q.IMAGES_GONE, (now, json.dumps(list(relpaths))))

    async def forget_record(self, image: ImageRow) -> None:
        """Takes people's words out of a picture's result."""
        await self._db.write(q.FORGET_RECORD, (image.job_id, image.idx))

    # ------------------------------------------------------------ housekeeping

    async def forget(self, now: float, *, private_requests: bool = False) -> list[str]:
        """Removes chat text an hour after its job's end, and jobs whose keys have had their time; returns the ids of
        the former. ``private_requests``: also the words of encrypted rooms' jobs whose pictures are all gone."""
        forgotten = await self._db.write(q.FORGET_CONTENT, (now - CHAT_TEXT_SECONDS,))
        if forgotten:
            await self._db.write(q.FORGET_TEXT, (json.dumps([row["id"] for row in forgotten]),))
        if private_requests:
            await self._db.write(q.FORGET_REQUESTS, (now - CHAT_TEXT_SECONDS,))
        await self._db.write(q.FORGET_JOBS, (now - KEY_DAYS * 86_400, now - KEY_DAYS * 86_400))
        await self._db.write(q.FORGET_SERVED, (now - 86_400,))
        return [row["id"] for row in forgotten]

    async def meta(self, name: str) -> Any:
        found = await self._db.fetch_one(q.META, (name,))
        return json.loads(found["value"]) if found else None

    async def set_meta(self, name: str, value: Any) -> None:
        await self._db.write(q.SET_META, (name, json.dumps(value)))

    async def speeds(self) -> dict[str, tuple[float, int]]:
        return {row["name"]: (row["value"], row["samples"]) for row in await self._db.fetch(q.SPEEDS)}

    async def set_speed(self, name: str, value: float, samples: int) -> None:
        await self._db.write(q.SET_SPEED, (name, value, samples))


async def _one(connection: aiosqlite.Connection, sql: str, parameters: Sequence[Any]) -> sqlite3.Row | None:
    rows = list(await connection.execute_fetchall(sql, parameters))
    return rows[0] if rows else None


async def _check_limits(connection: aiosqlite.Connection, new: Submission, limits: Limits) -> None:
    mine = await _one(connection, q.OPEN_OF_OWNER, (new.client, new.owner))
    if mine is not None and mine["count"] + len(new.rows) > limits.open_rows_per_owner:
        raise QueueFull(limits.open_rows_per_owner, of_owner=True)
    # Of this client: another one's jobs are no reason to refuse these.
    everything = await _one(connection, q.OPEN_OF_CLIENT, (new.client,))
    if everything is not None and everything["count"] + len(new.rows) > limits.open_rows:
        raise QueueFull(limits.open_rows, of_owner=False)


def _death(row: sqlite3.Row) -> Death:
    return Death(job_id=row["job_id"], client=row["client"], final=row["state"] == "failed")


def new_rows(request: ResolvedRequest, *, work: float) -> list[NewRow]:
    """The rows of an image job. ``work``: megapixel-steps of one picture."""
    pictures = [request.picture(index) for index in range(request.count)]
    return [NewRow(seed=picture.seed, model=picture.model, work=work) for picture in pictures]
