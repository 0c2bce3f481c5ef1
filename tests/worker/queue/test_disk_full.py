"""A database that finds no space: no process ends, nothing is lost, and everything goes on when there is space again.

SQLite itself says "database or disk is full" here: a limit on the number of its pages is reached as a disk's end is.
"""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from core_lab import Here, Json, image, settings, until, worker_here

from otterbot_worker.queue import disk

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "SECONDS", (0.05, 0.1))


@asynccontextmanager
async def full(here: Here) -> AsyncIterator[None]:
    """Until the end of the block the database gets no further page, and none within the file is free."""
    writer = here.parts.store._db._writer
    await writer.execute("CREATE TABLE IF NOT EXISTS ballast (bytes BLOB)")
    await writer.execute("PRAGMA max_page_count = 1")  # as many as it has, at least
    size = 64_000  # the first ones in pages of their own, so that no free page is left over
    while size:
        try:
            await writer.execute("INSERT INTO ballast VALUES (zeroblob(?))", (size,))
        except sqlite3.OperationalError:
            size //= 2
    try:
        yield
    finally:
        await writer.execute("PRAGMA max_page_count = 1000000")


BIG: Json = {"prompt": "otter " * 600}
"""More than fits into what is left of a page."""


async def test_a_request_is_refused_with_a_sentence_and_taken_later(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        async with full(here):
            status, problem = await here.api.call("POST", "/v1/jobs", image(**BIG))
            assert (status, problem["code"]) == (507, "disk_full")
            assert "full" in problem["detail"]
            assert (await here.api.call("GET", "/healthz"))[0] == 200
        await here.api.submit(image(**BIG))


@pytest.mark.parametrize(
    ("name", "prompt", "state"),
    [
        ("heads", "otter", "succeeded"),
        ("claim", "otter", "succeeded"),
        ("job", "otter", "succeeded"),
        ("succeed", "otter", "succeeded"),
        ("set_speed", "otter", "succeeded"),
        ("fail", "fail", "failed"),
        ("gpu_died", "die:ann:1", "succeeded"),
        ("forget", "otter", "succeeded"),
    ],
)
async def test_no_statement_that_fails_ends_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, prompt: str, state: str
) -> None:
    """Each fails some times in the background, and everything ends as it would have."""
    monkeypatch.setattr("otterbot_worker.api.housekeeping.FORGET_SECONDS", 0.05)
    async with worker_here(settings(tmp_path), paused=True) as here:
        job = await here.api.submit(image(prompt=prompt))
        left = fail_in_background(here, monkeypatch, name)
        await here.api.call("POST", "/v1/resume")
        done = await here.api.done(job["id"])
        assert done["state"] == state
        await until(lambda: left[0] == 0)
        assert not here.parts.background.broken.done()


def fail_in_background(here: Here, monkeypatch: pytest.MonkeyPatch, name: str) -> list[int]:
    """The next calls that no request made; how many are left."""
    store, left = here.parts.store, [1 if name == "set_speed" else 3]  # a speed is not written again
    real = getattr(store, name)

    async def failing(*args: object, **named: object) -> object:
        task = asyncio.current_task()
        if left[0] and (name != "job" or (task is not None and task.get_name().startswith("dispatcher"))):
            left[0] -= 1
            raise coded(sqlite3.SQLITE_FULL)
        return await real(*args, **named)

    monkeypatch.setattr(store, name, failing)
    return left


def coded(code: int) -> sqlite3.OperationalError:
    """As SQLite raises it."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = code
    return error


async def test_what_runs_is_given_back_at_the_end_also_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker stops while the disk is full: it ends, and the next start takes the picture up again."""
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.submit(image(prompt="slow", steps=50))
        await here.api.running(job["id"], 2)
        store = here.parts.store

        async def full_disk(*_: object) -> bool:
            raise coded(sqlite3.SQLITE_FULL)

        monkeypatch.setattr(store, "give_back", full_disk)
        async with asyncio.timeout(20):
            await here.parts.dispatcher.stop()
        assert not here.parts.background.broken.done()
    async with worker_here(settings(tmp_path), paused=True) as again:
        assert (await again.api.job(job["id"]))["state"] in ("queued", "running")


async def test_a_bug_in_the_queue_still_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with worker_here(settings(tmp_path)) as here:

        async def broken() -> None:
            raise sqlite3.OperationalError("no such table: rows")

        monkeypatch.setattr(here.parts.store, "heads", broken)
        here.parts.dispatcher.wake()
        await until(here.parts.background.broken.done)


async def test_a_commit_that_finds_no_space_leaves_no_transaction_open(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        database = here.parts.store._db
        commit = database._writer.commit

        async def full_commit() -> None:
            raise coded(sqlite3.SQLITE_FULL)

        database._writer.commit = full_commit  # type: ignore[method-assign]
        status, _ = await here.api.call("POST", "/v1/jobs", image())
        assert status == 507
        database._writer.commit = commit  # type: ignore[method-assign]
        assert not database._writer.in_transaction
        await here.api.submit(image())


def test_what_passes() -> None:
    assert all(disk.passes(coded(code)) for code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE))
    assert disk.passes(OSError(errno.EIO, "x"))
    assert not disk.passes(coded(sqlite3.SQLITE_ERROR))
    assert not disk.passes(OSError(errno.ENOENT, "x"))
    assert not disk.passes(ValueError())
