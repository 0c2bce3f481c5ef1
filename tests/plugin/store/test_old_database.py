"""A plugin's database that an older version has left: what was asked is read as it was typed, and goes on.

The files are those of :mod:`old`.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from homeserver_double import HomeserverDouble
from mautrix.util.async_db import Database
from plugin_rig import Rig
from worker_double import WorkerDouble

from old import VERSIONS, Old
from otterbot.config import Values
from otterbot.store.migrations import upgrade_table
from otterbot.store.rows import RequestState
from otterbot.store.store import Commit, Store

OPEN = ["an owl", "a secret owl", "an owl", "a wolf", "a cat"]
"""The pictures that were asked for and not drawn yet, oldest first."""


@pytest.fixture(params=VERSIONS, ids=repr)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "plugin.db"
    old: Old = request.param
    old.plugin_database(path)
    return path


@pytest_asyncio.fixture
async def store(database: Path) -> AsyncIterator[Store]:
    db = Database.create(f"sqlite:{database}", upgrade_table=upgrade_table)
    await db.start()
    opened = Store(db)
    await opened.open()
    yield opened
    await opened.close()
    await db.stop()


def rows(database: Path, query: str) -> list[dict[str, Any]]:
    """Straight from the file, whatever the program makes of it."""
    connection = sqlite3.connect(database)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(query)]
    finally:
        connection.close()


async def test_what_is_open_is_read_as_it_stands(store: Store, database: Path) -> None:
    before = rows(database, "SELECT * FROM requests WHERE state <> 'done' ORDER BY created_at")
    found = await store.open_requests()
    assert [one.key for one in found] == [row["key"] for row in before]
    assert [one.body["prompt"] for one in found if one.body] == OPEN
    assert {one.kind for one in found} == {"image", "chat"}
    assert {one.state for one in found} == {RequestState.KEPT, RequestState.SUBMITTED}
    assert [one.private for one in found] == [bool(row["private"]) for row in before]
    assert {one.private for one in found} == {True, False}
    for one, row in zip(found, before, strict=True):
        assert (one.room_id, one.event_id, one.sender) == (row["room_id"], row["event_id"], row["sender"])
        assert one.asked == json.loads(row["asked"])
        assert one.body == json.loads(row["body"] or "null")
        assert time.time() < one.expires_at < time.time() + 24 * 3600


async def test_rooms_keep_their_settings_and_last_pictures(store: Store, database: Path) -> None:
    rooms = rows(database, "SELECT * FROM rooms")
    assert len(rooms) == 2
    for room in rooms:
        settings = {
            row["name"]: row["value"]
            for row in rows(database, "SELECT * FROM settings")
            if row["room_id"] == room["room_id"]
        }
        assert settings["safe"] == "off"
        assert await store.room_settings(room["room_id"]) == settings
        assert await store.last_picture(room["room_id"]) == room["last_picture_event"]
        part = await store.part_by_event(room["last_picture_event"])
        assert part is not None
        assert part.part == "picture/0"
        asked = await store.request(part.key)
        assert asked is not None
        assert asked.body
        assert (asked.body["prompt"], asked.body["seed"]) == ("otter, hat", 7)
    assert {setting["name"] for setting in rows(database, "SELECT * FROM settings")} == {"model", "safe"}


async def test_what_was_handled_is_not_handled_again(store: Store, database: Path) -> None:
    handled = rows(database, "SELECT * FROM handled")
    assert len(handled) > 10
    for row in handled:
        assert await store.is_handled(row["event_id"])
        assert not (await store.commit(Commit(mark=row["event_id"], room_id=row["room_id"]))).fresh
    assert store.installed_at < min(row["at"] for row in handled)


async def test_it_goes_on_with_what_was_asked(database: Path) -> None:
    """Those that the worker had accepted, too: it has lost its database meanwhile."""
    with sqlite3.connect(database) as connection:  # chat has another rig
        connection.execute("DELETE FROM requests WHERE kind = 'chat'")
    connection.close()
    before = rows(database, "SELECT * FROM requests WHERE state <> 'done'")
    plain = next(row["room_id"] for row in before if not row["private"])
    async with HomeserverDouble() as server, WorkerDouble() as worker:
        rig = await Rig(path=database, server=server, worker_server=worker, values=Values()).run()
        try:
            await server.wait(lambda: len(server.pictures(plain)) == 4, timeout=30)
            bodies = {one["key"]: one["request"] for one in worker.submissions}
            for row in before:
                body = json.loads(row["body"])
                if "init_image" not in body:  # that picture is in no room of the double's
                    assert bodies[row["key"]] == body
            assert sorted(rig.seeds(plain)) == [8, 8, 9, 11]
        finally:
            await rig.stop()
