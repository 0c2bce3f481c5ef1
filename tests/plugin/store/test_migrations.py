"""Older databases become what a new one is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from mautrix.util.async_db import Database

from otterbot.store.migrations import upgrade_table
from otterbot.store.rows import Request, key_of
from otterbot.store.store import Commit, Store

VERSION_1 = Path(__file__).parent / "database_v1.sql"


def schema(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    return [(name, " ".join(sql.split())) for name, sql in rows]


async def migrate(path: Path) -> None:
    db = Database.create(f"sqlite:{path}", upgrade_table=upgrade_table)
    await db.start()
    await db.stop()


async def test_a_database_of_the_first_version_works_on(tmp_path: Path) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    with closing(sqlite3.connect(old)) as db, db:
        db.executescript(VERSION_1.read_text())
    await migrate(old)
    await migrate(new)
    assert schema(old) == schema(new)
    database = Database.create(f"sqlite:{old}", upgrade_table=upgrade_table)
    await database.start()
    store = Store(database)
    await store.open()
    assert store.installed_at == 1_700_000_000.5
    [request] = await store.open_requests()
    assert (request.body, request.resolved) == ({"prompt": "an otter", "seed": 7}, None)
    assert await store.last_picture("!room:test") == "$picture"
    assert not (await store.commit(Commit(mark="$old", room_id="!room:test"))).fresh
    fresh = Request(
        key=key_of("@bot:test", "!room:test", "$new"), room_id="!room:test", event_id="$new", sender="@a:test",
        kind="image", created_at=1.0, expires_at=2.0,
    )  # fmt: skip
    assert (await store.commit(Commit(mark="$new", room_id="!room:test", request=fresh))).fresh
    await database.stop()


async def test_pictures_that_older_versions_never_sent_are_owed(tmp_path: Path) -> None:
    """They left them with the worker for ever."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(VERSION_1.read_text())
        for name, state, image in (("picture/0", "failed", "a"), ("picture/1", "sent", "b"), ("reply", "failed", None)):
            row = ("k", name, "!room:test", "message", 0, state, None, None, image, 0, 0, 1.0)
            db.execute(f"INSERT INTO parts VALUES ({', '.join('?' * len(row))})", row)
    await migrate(path)
    database = Database.create(f"sqlite:{path}", upgrade_table=upgrade_table)
    await database.start()
    assert [part.image_id for part in await Store(database).deletes_owed()] == ["a"]
    await database.stop()


async def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    await migrate(tmp_path / "a.db")
    before = schema(tmp_path / "a.db")
    await migrate(tmp_path / "a.db")
    assert schema(tmp_path / "a.db") == before
