"""Submission of a job: checked against the limits and stored with its rows, or found by its key."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import aiosqlite

from ..sampling import tiles
from ..schemas.requests import ChatMessage
from ..schemas.resolved import ResolvedChat, ResolvedDescription, ResolvedRequest
from . import daily
from . import queries as q
from .database import fetch_one
from .model import Kind, NewRow, RowKind, StoredJob


class KeyReused(Exception):
    """The client's key belongs to a job with another body."""


class InputGone(Exception):
    """An input picture of the job is not here any more."""


class QueueFull(Exception):
    """``limit`` open rows wait or run already; ``of_owner`` says whose. ``never``: the job alone has more."""

    def __init__(self, limit: int, *, of_owner: bool, never: bool = False) -> None:
        super().__init__("the queue is full")
        self.limit = limit
        self.of_owner = of_owner
        self.never = never


@dataclass(frozen=True, kw_only=True)
class Limits:
    open_rows: int
    """Of one client, over all owners."""
    open_rows_per_owner: int
    per_day: int | None = None
    """Pictures of the client in 24 hours."""
    answers_per_day: int | None = None
    """Its turns of chat and descriptions."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A job as it is to be stored: resolved, with its rows."""

    client: str
    key: str
    body_hash: str
    kind: Kind
    owner: str
    """Who asked, as the client says."""
    room: str
    private: bool
    request: ResolvedRequest | ResolvedChat | ResolvedDescription
    content: list[ChatMessage] | None
    rows: Sequence[NewRow]
    input_ids: Sequence[str] = ()
    """The input pictures that it needs."""
    share: str | None = None
    """In whose turn its rows are drawn, as their ``owner``; ``None``: its owner's. A program takes turns as one person,
    whatever owners it names."""

    @property
    def turn_of(self) -> str:
        return self.owner if self.share is None else self.share


def new_rows(request: ResolvedRequest) -> list[NewRow]:
    """The rows of an image job, in the order in which they are drawn."""
    pictures = [request.picture(index) for index in range(request.count)]
    expand = any(picture.expand for picture in pictures)
    first: RowKind | None = "prompt" if expand else None
    others: RowKind | None = "later" if expand else None
    return [
        NewRow(
            idx=index,
            seed=pictures[index].seed,
            model=pictures[index].model,
            work=tiles.work(pictures[index]),
            card=pictures[index].card or "",
            kind=others if number else first,
        )
        for number, index in enumerate(drawing_order(pictures))
    ]


def drawing_order(pictures: Sequence[ResolvedRequest]) -> list[int]:
    """Indices of pictures: those together that have the same model, then the same LoRAs, then the same size, since each
    of these takes its time to change; else as they stand."""
    wholes = [(one.model, one.loras, tiles.largest(one)) for one in pictures]
    first: dict[tuple[object, ...], int] = {}
    for index, whole in enumerate(wholes):
        for length in range(1, len(whole) + 1):
            first.setdefault(whole[:length], index)

    def key(index: int) -> tuple[int, ...]:
        whole = wholes[index]
        return (*(first[whole[:length]] for length in range(1, len(whole) + 1)), index)

    return sorted(range(len(pictures)), key=key)


async def insert(
    connection: aiosqlite.Connection, new: Submission, limits: Limits, now: float
) -> tuple[StoredJob, bool]:
    """Within a transaction; ``True`` where the job is new.

    :raises KeyReused: :raises QueueFull: :raises DailyLimit: :raises InputGone:
    """
    known = await fetch_one(connection, q.JOB_BY_KEY, (new.client, new.key))
    if known is not None:
        if known["body_hash"] != new.body_hash:
            raise KeyReused
        return StoredJob.from_row(known), False
    await _check_limits(connection, new, limits)
    await _check_day(connection, new, limits, now)
    for input_id in new.input_ids:
        # In this transaction: a sweep between two of them would remove the picture as unused.
        if await fetch_one(connection, q.TOUCH_INPUT, (now, new.private, new.client, input_id)) is None:
            raise InputGone
    # Sortable by time, so that jobs of one time are neighbours in the index.
    job_id = f"{int(now * 1000):012x}{secrets.token_hex(10)}"
    said = None if new.content is None else [one.model_dump(mode="json", exclude_defaults=True) for one in new.content]
    content = None if said is None else json.dumps(said, ensure_ascii=False)
    request = new.request.model_dump_json()
    values = (job_id, new.client, new.key, new.body_hash, new.kind, new.owner, new.room, new.private, now)
    sheet = isinstance(new.request, ResolvedRequest) and new.request.sheet is not None
    stored = await fetch_one(connection, q.INSERT_JOB, (*values, request, content, sheet))
    await connection.executemany(
        q.INSERT_ROW,
        [
            (
                job_id, row.idx, new.client, new.turn_of, row.kind or new.kind, row.model, row.work, row.card, row.seed,
                now,
            )
            for row in new.rows
        ],
    )  # fmt: skip
    for idx, row in enumerate(new.rows):
        if row.drawn is not None:
            result = row.drawn.model_dump_json()
            image_id = row.drawn.image_id
            if await fetch_one(connection, q.DRAWN_BEFORE, (result, now, job_id, idx, image_id, new.client)):
                await connection.execute(q.USE_IMAGE, (image_id, new.key))
    assert stored is not None
    return StoredJob.from_row(stored), True


async def _check_limits(connection: aiosqlite.Connection, new: Submission, limits: Limits) -> None:
    if len(new.rows) > (most := min(limits.open_rows_per_owner, limits.open_rows)):
        raise QueueFull(most, of_owner=True, never=True)
    mine = await fetch_one(connection, q.OPEN_OF_OWNER, (new.client, new.turn_of))
    if mine is not None and mine["count"] + len(new.rows) > limits.open_rows_per_owner:
        raise QueueFull(limits.open_rows_per_owner, of_owner=True)
    # Only this client's rows count: other clients' jobs are no reason to refuse.
    everything = await fetch_one(connection, q.OPEN_OF_CLIENT, (new.client,))
    if everything is not None and everything["count"] + len(new.rows) > limits.open_rows:
        raise QueueFull(limits.open_rows, of_owner=False)


async def _check_day(connection: aiosqlite.Connection, new: Submission, limits: Limits, now: float) -> None:
    things: daily.Things = "pictures" if new.kind == "image" else "answers"
    limit = limits.per_day if things == "pictures" else limits.answers_per_day
    if limit is None:
        return
    sql = q.PICTURES_OF_LATE if things == "pictures" else q.ANSWERS_OF_LATE
    used = await connection.execute_fetchall(sql, (new.client, now - daily.DAY))
    asks = sum(row.drawn is None for row in new.rows)
    daily.check(things, limit, [(row["at"], row["many"]) for row in used], asks, now)
