"""What rows end in is typed, and stored as the JSON that it always was."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import make_requests
import make_results
import pytest
from pydantic import BaseModel

from old import VERSIONS, Old
from otterbot_worker.queue.database import Database
from otterbot_worker.queue.model import NewRow, Row
from otterbot_worker.queue.store import Store
from otterbot_worker.queue.submission import Limits, Submission
from otterbot_worker.schemas.jobs import Failure
from otterbot_worker.schemas.resolved import ResolvedChat

NOW = 1_000_000.0


def stored(path: Path) -> dict[int, tuple[Any, Any]]:
    """Result and error of each row, as they stand in the file."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT seq, result, error FROM rows").fetchall()
    return {seq: tuple(json.loads(one) if one else None for one in both) for seq, *both in found}  # type: ignore[misc]


def read_back(now: BaseModel | None, before: Any) -> None:
    """Nothing that was stored is lost or other; what came to the type since has its default."""
    assert (now is None) == (before is None)
    if now is not None:
        _holds(now.model_dump(mode="json"), before)


def _holds(now: Any, before: Any) -> None:
    if isinstance(before, dict):
        for name, value in before.items():
            _holds(now[name], value)
    else:
        assert (type(now), now) == (type(before), before)


@pytest.mark.parametrize("old", VERSIONS, ids=repr)
async def test_what_an_older_worker_stored_is_read_as_it_was(old: Old, tmp_path: Path) -> None:
    old.worker_data(tmp_path)
    before = stored(tmp_path / "jobs.sqlite")
    database = await Database.open(tmp_path / "jobs.sqlite")
    try:
        rows = [Row.from_row(raw) for raw in await database.fetch("SELECT * FROM rows")]
    finally:
        await database.close()
    assert {row.kind for row in rows if row.result} == {"image", "chat"}
    assert any(row.error for row in rows)
    for row in rows:
        read_back(row.result, before[row.seq][0])
        read_back(row.error, before[row.seq][1])
    assert stored(tmp_path / "jobs.sqlite") == before


async def ended(path: Path, kind: str, result: Any) -> Row:
    """A row that was stored with that end and read back."""
    database = await Database.open(path)
    try:
        store = Store(database)
        chat = kind == "chat"
        new = Submission(
            client="c", key="k", body_hash="h", kind="chat" if chat else "image", owner="ann", room="r", private=False,
            request=ResolvedChat(model="m") if chat else make_requests.resolved(), content=None,
            rows=[NewRow(seed=1, model="m", work=1.0)],
        )  # fmt: skip
        job, _ = await store.submit(new, Limits(open_rows=1, open_rows_per_owner=1), NOW)
        row = await store.claim((await store.rows([job.id]))[job.id][0].seq, [], NOW)
        assert row is not None
        if isinstance(result, Failure):
            assert await store.fail(row, result, NOW)
        else:
            assert await store.succeed(row, result, None, NOW)
        return (await store.rows([job.id]))[job.id][0]
    finally:
        await database.close()


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        ("image", make_results.picture(prompt="Oregon 💚", guidance_scale=float("inf"))),
        ("chat", make_results.answer('why, "otters"\n💚')),
        ("image", make_results.failure(errno=28, exit_code=None, model="a", plans=["tiled"], share=0.5)),
    ],
)
async def test_results_are_stored_as_plain_json_and_come_back_equal(tmp_path: Path, kind: str, result: Any) -> None:
    row = await ended(tmp_path / "jobs.sqlite", kind, result)
    assert (row.error if isinstance(result, Failure) else row.result) == result
    assert (row.picture, row.answer) == (
        row.result if kind == "image" else None, row.result if kind == "chat" else None,
    )  # fmt: skip
    [both] = stored(tmp_path / "jobs.sqlite").values()
    assert [one for one in both if one is not None] == [result.model_dump(mode="json")]
