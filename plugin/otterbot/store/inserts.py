"""Inserts of rows, inside a transaction of :mod:`.store`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mautrix.util.async_db import Connection

from . import queries as sql
from . import quotas
from .quotas import Over, Quota
from .rows import Kept, Kind, Part, PartState, Request, RequestState, RoomStyle


async def cancel(conn: Connection, key: str, room: str, now: float, outcome: str) -> Request | None:
    row = await conn.fetchrow(sql.CANCEL, key, room, now, outcome)
    return None if row is None else Request.from_row(row)


async def stop(conn: Connection, key: str, room: str) -> Request | None:
    row = await conn.fetchrow(sql.STOP, key, room)
    return None if row is None else Request.from_row(row)


async def add_request(conn: Connection, request: Request) -> None:
    body = None if request.body is None else json.dumps(request.body)
    await conn.execute(
        sql.ADD_REQUEST,
        request.key,
        request.room_id,
        request.event_id,
        request.edit_id,
        request.sender,
        request.kind,
        RequestState.KEPT.value,
        body,
        json.dumps(request.asked),
        json.dumps(request.notes),
        int(request.private),
        request.thread_root,
        request.reply_to,
        request.created_at,
        request.expires_at,
        request.sent_at,
        request.reaction,
        quotas.asks(request),
        request.asked_in,
    )


async def too_much(conn: Connection, request: Request, limits: Sequence[Quota], now: float) -> Over | None:
    """What it is too much for; of several, what lasts longest."""
    found = [over for quota in limits if (over := await _over(conn, quota, quotas.asks(request), now)) is not None]
    return max(found, key=lambda over: float("inf") if over.wait is None else over.wait, default=None)


async def _over(conn: Connection, quota: Quota, number: int, now: float) -> Over | None:
    since = now - max(quotas.DAY, quota.cooldown or 0)
    rows = await conn.fetch(sql.USED, quota.kind, since, quota.sender, quota.room)
    return quotas.over(quota, [(row["created_at"], row["number"]) for row in rows], number, now)


async def add_part(conn: Connection, part: Part, now: float) -> bool:
    content = None if part.content is None else json.dumps(part.content)
    row = await conn.fetchrow(
        sql.ADD_PART,
        part.key,
        part.part,
        part.room_id,
        Kind(part.kind).value,
        int(part.rank),
        PartState.READY.value,
        content,
        part.image_id,
        now,
        int(part.moved),
    )
    return row is not None


async def _adopt(conn: Connection, picture: Part, now: float) -> None:
    await conn.execute(
        sql.ADOPT,
        picture.key,
        picture.part,
        picture.room_id,
        Kind(picture.kind).value,
        int(picture.rank),
        picture.event_id,
        picture.image_id,
        now,
    )


async def keep(conn: Connection, picture: Part, kept: Kept, now: float) -> None:
    await _adopt(conn, picture, now)
    row = (kept.event_id, kept.sender, kept.room_id, kept.reaction, kept.credit, kept.copy, now)
    await conn.execute(sql.KEEP, *row)
    await conn.execute(sql.OWE_KEEP, kept.event_id)


async def discard(conn: Connection, picture: Part, now: float) -> None:
    await _adopt(conn, picture, now)
    await conn.execute(sql.LET_GO_OF, picture.event_id)
    await conn.execute(sql.DISCARD, picture.key, picture.part)


async def put_setting(conn: Connection, room: str, name: str, value: str | None) -> None:
    if value is None:
        await conn.execute(sql.UNSET, room, name)
    else:
        await conn.execute(sql.SET, room, name, value)


async def save_style(conn: Connection, room: str, style: RoomStyle, now: float) -> None:
    await conn.execute(sql.SAVE_STYLE, room, style.key, style.name, style.prompt, style.negative_prompt, now)


async def move(
    conn: Connection, old: str, new: str, moving: Sequence[Part], unwanted: Sequence[Part], private: bool, now: float
) -> list[Request]:
    keys = {row["key"] for row in await conn.fetch(sql.MOVE_REQUESTS, old, new, int(private))}
    for part in moving:
        content = None if part.content is None else json.dumps(part.content)
        await conn.fetchrow(sql.MOVE_PART, *part.id, old, new, Kind(part.kind).value, content, now)
    for part in unwanted:
        await conn.fetchrow(sql.DROP, *part.id, now)
    keys |= {row["key"] for row in await conn.fetch(sql.LEFT_BEHIND, old)}
    rows = [await conn.fetchrow(sql.REQUEST, key) for key in keys]
    return [Request.from_row(row) for row in rows]


async def inherit(
    conn: Connection, room: str, predecessor: str, settings: dict[str, str], part: Part | None, now: float
) -> bool:
    if await conn.fetchrow(sql.PREDECESSOR_SET, room, predecessor) is None:
        return False
    for name, value in settings.items():
        await conn.execute(sql.INHERIT, room, name, value)
    if predecessor:
        await conn.execute(sql.INHERIT_STYLES, room, predecessor)
    if part is not None:
        await add_part(conn, part, now)
    return True
