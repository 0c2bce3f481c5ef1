"""Jobs, rows and pictures in SQLite. Every transition is one statement that says whether it happened.

The SQL stands in ``queries``; this class gives it types. Times are Unix seconds.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import aiosqlite
from pydantic import BaseModel

from ..schemas.jobs import ChatResult, Failure
from ..schemas.records import ImageResult
from ..schemas.resolved import ResolvedRequest
from . import gallery_rows, submission
from . import queries as q
from .database import Database, fetch_one
from .heads import NEVER, Group, Head, Service
from .model import (
    CHAT_TEXT_SECONDS,
    GPU_DEATHS_ALLOWED,
    KEY_DAYS,
    WORKER_DEATHS_ALLOWED,
    ImageRow,
    Kind,
    Result,
    Row,
    StoredJob,
    job_kind,
)
from .submission import Limits, Submission

CLOCK_SLACK = 5.0
"""Seconds by which the last claim may lie ahead of the clock; each is a little later than the one before it."""


@dataclass(frozen=True, kw_only=True)
class Death:
    """A row after the death of its process. ``final``: it failed."""

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

        :raises KeyReused: :raises QueueFull: :raises DailyLimit: :raises InputGone:
        """
        async with self._db.transaction() as connection:
            return await submission.insert(connection, new, limits, now)

    # ------------------------------------------------------------ reading

    async def job(self, job_id: str, client: str | None = None) -> StoredJob | None:
        """``client``: only if it is that client's."""
        found = await self._db.fetch_one(q.JOB, (job_id, client))
        return StoredJob.from_row(found) if found else None

    async def jobs(self, client: str, *, room: str | None, only_open: bool, limit: int) -> list[StoredJob]:
        sql = q.OPEN_JOBS if only_open else q.JOBS
        return [StoredJob.from_row(found) for found in await self._db.fetch(sql, (client, room, limit))]

    async def open_in(self, rooms: Sequence[str]) -> list[StoredJob]:
        """Of every client, the oldest first."""
        found = await self._db.fetch(q.OPEN_IN_ROOMS, (json.dumps(list(rooms)),))
        return [StoredJob.from_row(row) for row in found]

    async def running_jobs(self) -> list[str]:
        """Ids, of all clients; what was claimed first comes first."""
        return [found["job_id"] for found in await self._db.fetch(q.RUNNING_JOBS)]

    async def jobs_of(self, job_ids: Iterable[str]) -> dict[str, StoredJob]:
        """Those that are known, of whichever client, by their ids."""
        found = await self._db.fetch(q.JOBS_OF, (json.dumps(list(job_ids)),))
        return {row["id"]: StoredJob.from_row(row) for row in found}

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

    async def open_clients(self) -> frozenset[str]:
        """Clients with rows that wait or run."""
        return frozenset(found["client"] for found in await self._db.fetch(q.OPEN_CLIENTS))

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
        found = await self._db.scan(q.WAITING, (client,))
        return list(dict.fromkeys((row["job_id"], row["owner"], job_kind(row["kind"])) for row in found))

    async def served(self) -> dict[tuple[str, str], Service]:
        """By client and owner."""
        return {
            (found["client"], found["owner"]): Service(at=found["at"], seconds=found["seconds"])
            for found in await self._db.fetch(q.SERVED)
        }

    async def positions(self, client: str, owner: str | None) -> dict[str, tuple[int, int]]:
        """For each job of a client (or of one owner) with queued rows: how many of its owner's queued rows (pictures,
        or all else) come before its first queued one, and up to its last, itself included."""
        if owner is None:
            found = await self._db.scan(q.POSITIONS, (client,))
        else:
            found = await self._db.fetch(q.POSITIONS_OF_OWNER, (client, owner))
        return {row["job_id"]: (int(row["before"]), int(row["until"])) for row in found}

    # ------------------------------------------------------------ transitions

    async def claim(
        self, seq: int, overtaken: Sequence[int], now: float, *, seconds: float = 0.0, served: bool = True
    ) -> Row | None:
        """``queued → running``, one more attempt; ``None``: it is not queued any more. ``seconds``: what it is expected
        to cost; ``served``: it counts as its owner's turn."""
        async with self._db.transaction() as connection:
            found = await fetch_one(connection, q.CLAIM, (now, seq))
            if found is None:
                return None
            # Always later than all others: a clock set back must not move people to the end of the line.
            if served:
                await _serve(connection, (found["client"], found["owner"]), now, seconds)
            if overtaken:
                await connection.execute(q.OVERTAKE, (seconds, json.dumps(list(overtaken))))
            return Row.from_row(found)

    async def succeed(self, row: Row, result: Result, image: ImageRow | None, now: float) -> bool:
        """``running → succeeded``; a picture becomes known with it. ``False``: it was cancelled meanwhile."""
        text = _json(result)
        async with self._db.transaction() as connection:
            done = await fetch_one(connection, q.SUCCEED, (text, now, row.job_id, row.idx, row.attempt))
            if done is not None and image is not None:
                await connection.execute(q.INSERT_IMAGE, image.values())
                if isinstance(result, ImageResult):
                    await connection.execute(q.TELL_IMAGE, (*gallery_rows.told(result).values(), image.image_id))
            return done is not None

    async def prompt_written(self, row: Row, request: ResolvedRequest) -> bool:
        """A job's prompt is written, or never will be: ``request`` says so from now on, and all of its pictures wait to
        be drawn. ``False``: it was cancelled meanwhile."""
        async with self._db.transaction() as connection:
            if await fetch_one(connection, q.PROMPT_WRITTEN, (row.job_id, row.idx, row.attempt)) is None:
                return False
            await connection.execute(q.THE_OTHERS, (row.job_id,))
            await connection.execute(q.SET_REQUEST, (request.model_dump_json(), row.job_id))
            return True

    async def fail(self, row: Row, error: Failure, now: float) -> bool:
        """``running → failed``."""
        values = (_json(error), now, row.job_id, row.idx, row.attempt)
        return bool(await self._db.write(q.FAIL, values))

    async def give_back(self, row: Row) -> bool:
        """``running → queued``, as if it had never been claimed: a clean shutdown, a pause, a busy card."""
        return bool(await self._db.write(q.GIVE_BACK, (row.job_id, row.idx, row.attempt)))

    async def gpu_died(self, row: Row, error: Failure, now: float) -> Death | None:
        """``running → queued``, or ``failed`` with ``error`` when the GPU process has died during it too often."""
        values = (GPU_DEATHS_ALLOWED, _json(error), now, row.job_id, row.idx, row.attempt)
        done = await self._db.write(q.GPU_DIED, values)
        return _death(done[0]) if done else None

    async def node_lost(self, row: Row, error: Failure, now: float) -> Death | None:
        """As `gpu_died` where the whole machine has gone with the process. It counts as a death of the worker."""
        values = (WORKER_DEATHS_ALLOWED, _json(error), now, row.job_id, row.idx, row.attempt)
        done = await self._db.write(q.NODE_LOST, values)
        return _death(done[0]) if done else None

    async def worker_restarted(self, error: Failure, now: float) -> list[Death]:
        """At start: what ran when the last worker ended without a word goes back to the queue, or fails with
        ``error`` when that happened to it too often."""
        done = await self._db.write(q.WORKER_DIED, (WORKER_DEATHS_ALLOWED, _json(error), now))
        return [_death(row) for row in done]

    async def cancel(
        self, job_id: str, now: float, *, attempt: int = 0, partial: ChatResult | None = None
    ) -> list[Row]:
        """Everything of a job that is not final becomes ``cancelled``; returns those rows. A turn that runs keeps
        ``partial``, what has come in that ``attempt`` of it, as its result."""
        kept = None if partial is None else _json(partial)
        return [Row.from_row(row) for row in await self._db.write(q.CANCEL, (now, job_id, attempt, kept))]

    # ------------------------------------------------------------ pictures

    async def image(self, image_id: str, client: str) -> ImageRow | None:
        found = await self._db.fetch_one(q.IMAGE, (image_id, client))
        return ImageRow.from_row(found) if found else None

    async def images_here(self) -> list[ImageRow]:
        found = await self._db.fetch(q.IMAGES_HERE)
        return [ImageRow.from_row(row) for row in found]

    async def undelivered_in(self, rooms: Sequence[str]) -> list[ImageRow]:
        """Pictures of every client's jobs there that nobody has fetched."""
        found = await self._db.fetch(q.UNDELIVERED_IN_ROOMS, (json.dumps(list(rooms)),))
        return [ImageRow.from_row(row) for row in found]

    async def image_delivered(self, image_id: str, now: float) -> None:
        await self._db.write(q.IMAGE_DELIVERED, (now, image_id))

    async def image_kept(self, image_id: str, kept: bool) -> None:
        """Whether the archive's limits pass it over."""
        await self._db.write(q.IMAGE_KEPT, (int(kept), image_id))

    async def images_gone(self, relpaths: Iterable[str], now: float) -> None:
        await self._db.write(q.IMAGES_GONE, (now, json.dumps(list(relpaths))))

    async def forget_record(self, image: ImageRow) -> None:
        """Remove prompts from a picture's result; from a contact sheet's, the name of its file, which has the first
        word of one."""
        if image.is_sheet:
            await self._db.write(q.FORGET_SHEET, (image.job_id,))
        else:
            await self._db.write(q.FORGET_RECORD, (image.job_id, image.idx))

    # ------------------------------------------------------------ housekeeping

    async def forget(self, now: float, *, private_requests: bool = False) -> list[str]:
        """Removes chat text an hour after its job's end, and jobs whose keys have had their time; returns the ids of
        the former. ``private_requests``: also the words of encrypted rooms' jobs whose pictures are all gone."""
        forgotten = await self._db.write(q.FORGET_CONTENT, (now - CHAT_TEXT_SECONDS,))
        if forgotten:
            await self._db.write(q.FORGET_TEXT, (json.dumps([row["id"] for row in forgotten]),))
        if private_requests:
            done = await self._db.write(q.FORGET_REQUESTS, (now - CHAT_TEXT_SECONDS,))
            if done:
                await self._db.write(q.FORGET_RECORDS_OF_JOBS, (json.dumps([row["id"] for row in done]),))
        await self._db.write(q.FORGET_JOBS, (now - KEY_DAYS * 86_400, now - KEY_DAYS * 86_400))
        await self._db.write(q.FORGET_SERVED, (now - 86_400,))
        await self._db.write(q.FORGET_USERS)
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


def _json(stored: BaseModel) -> str:
    # json.dumps, not model_dump_json, which writes null for infinite numbers.
    return json.dumps(stored.model_dump(mode="json"), ensure_ascii=False)


def _death(row: sqlite3.Row) -> Death:
    return Death(job_id=row["job_id"], client=row["client"], final=row["state"] == "failed")


async def _serve(connection: aiosqlite.Connection, owner: tuple[str, str], now: float, seconds: float) -> None:
    last = await fetch_one(connection, q.SERVED_LAST, ())
    if last is not None and last["at"] is not None and (ahead := last["at"] - now) > CLOCK_SLACK:
        # The clock was set back. Shifted together, all keep their order, and what they had fades from now on.
        await connection.execute(q.SERVED_SHIFT, (ahead,))
    found = await fetch_one(connection, q.SERVED_OWNER, owner)
    before = NEVER if found is None else Service(at=found["at"], seconds=found["seconds"])
    await connection.execute(q.SERVE, (*owner, now, before.recent(now) + seconds))
