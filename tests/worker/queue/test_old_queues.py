"""A database of before another kind of job came: its jobs and rows are all there afterwards."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from otterbot_worker.queue import migrations
from otterbot_worker.queue.database import Database
from otterbot_worker.queue.store import Store

KINDS = 5
"""The version whose table of jobs knew two kinds only."""
JOB = """INSERT INTO jobs (id, client, key, body_hash, kind, owner, room, private, created_at, request, content)
    VALUES (?, 'otterbot', ?, 'x', 'chat', '@ann:here', '!room:here', 0, ?, '{"v":1,"model":"tiny"}', '[]')"""
ROW = """INSERT INTO rows (job_id, idx, client, owner, kind, model, work, seed, state, created_at)
    VALUES (?, 0, 'otterbot', '@ann:here', 'chat', 'tiny', 0, 0, 'queued', 1.0)"""


async def test_rows_outlive_a_table_that_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    with sqlite3.connect(path) as old:
        for step in migrations.STEPS[:KINDS]:
            old.executescript(step)
        for number in range(3):
            old.execute(JOB, (f"job-{number}", f"key-{number}", float(number)))
            old.execute(ROW, (f"job-{number}",))
        old.execute(f"PRAGMA user_version = {KINDS}")
    old.close()
    database = await Database.open(path)
    try:
        store = Store(database)
        rows = await store.rows(f"job-{number}" for number in range(3))
        assert [len(found) for found in rows.values()] == [1, 1, 1]
        assert [job.id for job in await store.jobs("otterbot", room=None, only_open=False, limit=9)] == [
            "job-2",
            "job-1",
            "job-0",
        ]
        [found] = await database.fetch("PRAGMA foreign_key_list(rows)")
        assert found["table"] == "jobs"
        await database.write("DELETE FROM jobs WHERE id = 'job-1' RETURNING id")
        assert (await store.rows(["job-1"]))["job-1"] == [], "and still go with their job"
        assert not await database.fetch("PRAGMA foreign_key_check")
    finally:
        await database.close()
