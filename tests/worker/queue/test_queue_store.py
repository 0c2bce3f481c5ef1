"""The store on the real SQLite: each transition says whether it happened."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import make_requests
import make_results
import pytest
import pytest_asyncio

from otterbot_worker.queue import migrations
from otterbot_worker.queue import queries as q
from otterbot_worker.queue.database import Database
from otterbot_worker.queue.heads import Service
from otterbot_worker.queue.migrations import DamagedDatabase, NewerDatabase
from otterbot_worker.queue.model import ImageRow, NewRow, Row, derived_state
from otterbot_worker.queue.store import Store
from otterbot_worker.queue.submission import KeyReused, Limits, QueueFull, Submission
from otterbot_worker.schemas.base import State
from otterbot_worker.schemas.requests import ChatMessage
from otterbot_worker.schemas.resolved import ResolvedChat, seed_of

LIMITS = Limits(open_rows=100, open_rows_per_owner=50)
NOW = 1_000_000.0


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "jobs.sqlite")
    yield opened
    await opened.close()


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


def submission(
    key: str = "k", *, count: int = 1, owner: str = "ann", kind: str = "image", body: str = "h"
) -> Submission:
    content = [ChatMessage(role="user", content="hi")] if kind == "chat" else None
    return Submission(
        client="c", key=key, body_hash=body, kind="chat" if kind == "chat" else "image", owner=owner, room="r",
        private=False, request=ResolvedChat(model="m") if kind == "chat" else make_requests.resolved(), content=content,
        rows=[NewRow(idx=n, seed=n, model="m", work=1.0) for n in range(count)],
    )  # fmt: skip


async def claimed(store: Store, key: str = "k", **options: object) -> Row:
    job, _ = await store.submit(submission(key, **options), LIMITS, NOW)  # type: ignore[arg-type]
    row = (await store.rows([job.id]))[job.id][0]
    found = await store.claim(row.seq, [], NOW)
    assert found is not None
    return found


async def state_of(store: Store, row: Row) -> Row:
    return (await store.rows([row.job_id]))[row.job_id][row.idx]


async def test_synced_private_and_versioned(tmp_path: Path, database: Database) -> None:
    assert stat.S_IMODE(os.stat(tmp_path / "jobs.sqlite").st_mode) == 0o600
    assert (await database.write("PRAGMA synchronous"))[0][0] == 2
    assert (await database.write("PRAGMA journal_mode"))[0][0] == "wal"
    assert (await database.fetch("PRAGMA user_version"))[0][0] == len(migrations.STEPS)


async def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x")) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(NewerDatabase, match="99"):
        await Database.open(tmp_path / "x")


async def test_one_of_many_claims_succeeds(store: Store) -> None:
    job, _ = await store.submit(submission(), LIMITS, NOW)
    seq = (await store.rows([job.id]))[job.id][0].seq
    claims = await asyncio.gather(*(store.claim(seq, [], NOW) for _ in range(10)))
    assert [claim.attempt for claim in claims if claim is not None] == [1]


async def test_a_key_is_one_job_however_often_it_comes_at_once(store: Store) -> None:
    jobs = await asyncio.gather(*(store.submit(submission(), LIMITS, NOW) for _ in range(10)))
    assert len({job.id for job, _ in jobs}) == 1
    assert sum(new for _, new in jobs) == 1
    with pytest.raises(KeyReused):
        await store.submit(submission(body="other"), LIMITS, NOW)


async def test_limits_hold_when_everybody_comes_at_once(store: Store) -> None:
    limits = Limits(open_rows=7, open_rows_per_owner=3)
    answers = await asyncio.gather(
        *(store.submit(submission(f"k{n}", owner=f"o{n % 3}"), limits, NOW) for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(answer, tuple) for answer in answers) == 7
    assert {answer.of_owner for answer in answers if isinstance(answer, QueueFull)} == {True, False}
    assert await store.open_counts() == (7, 0)


async def test_results_count_only_for_the_running_attempt(store: Store) -> None:
    row = await claimed(store)
    assert await store.give_back(row)
    assert not await store.give_back(row), "it is queued"
    assert not await store.succeed(row, make_results.picture(), None, NOW)
    again = await store.claim(row.seq, [], NOW)
    assert again is not None
    assert again.attempt == 1, "a given-back attempt does not count"
    assert await store.gpu_died(again, make_results.failure("poison"), NOW) is not None
    second = await store.claim(row.seq, [], NOW)
    assert second is not None
    assert second.attempt == 2
    assert not await store.succeed(again, make_results.picture(), None, NOW), (
        "the first attempt's result comes too late"
    )
    assert await store.succeed(second, make_results.picture(size=1), None, NOW)
    for late in (
        store.fail(second, make_results.failure(), NOW),
        store.give_back(second),
        store.succeed(second, make_results.picture(), None, NOW),
    ):
        assert not await late
    assert not await store.cancel(row.job_id, NOW), "final is final"
    assert (await state_of(store, row)).result == make_results.picture(size=1)


async def test_cancel_beats_every_result(store: Store) -> None:
    row = await claimed(store, count=3)
    assert [cancelled.idx for cancelled in await store.cancel(row.job_id, NOW)] == [0, 1, 2]
    assert not await store.succeed(row, make_results.picture(), None, NOW)
    assert not await store.fail(row, make_results.failure(), NOW)
    assert await store.gpu_died(row, make_results.failure(), NOW) is None
    assert await store.claim(row.seq, [], NOW) is None
    assert {found.state for found in (await store.rows([row.job_id]))[row.job_id]} == {State.CANCELLED}


async def test_deaths_are_counted_apart(store: Store) -> None:
    row = await claimed(store)
    for number in range(1, 5):
        deaths = await store.worker_restarted(make_results.failure("worker_restarts"), NOW)
        assert [death.final for death in deaths] == [False]
        assert (await state_of(store, row)).worker_deaths == number
        assert await store.claim(row.seq, [], NOW) is not None
    running = await state_of(store, row)
    death = await store.gpu_died(running, make_results.failure("poison"), NOW)
    assert death is not None
    assert not death.final
    again = await store.claim(row.seq, [], NOW)
    assert again is not None
    assert [death.final for death in await store.worker_restarted(make_results.failure("worker_restarts"), NOW)] == [
        True
    ]
    assert (await state_of(store, row)).error == make_results.failure("worker_restarts")


async def test_a_machine_that_is_lost_counts_as_the_workers_death(store: Store) -> None:
    """So two lost machines do not make a picture poison, and one that takes every machine with it ends at last."""
    row = await claimed(store)
    for number in range(1, 5):
        death = await store.node_lost(await state_of(store, row), make_results.failure("worker_restarts"), NOW)
        assert death is not None
        assert not death.final
        now = await state_of(store, row)
        assert (now.state, now.worker_deaths, now.gpu_deaths) == (State.QUEUED, number, 0)
        assert await store.claim(row.seq, [], NOW) is not None
    death = await store.node_lost(await state_of(store, row), make_results.failure("worker_restarts"), NOW)
    assert death is not None
    assert death.final
    assert await store.node_lost(row, make_results.failure("worker_restarts"), NOW) is None, "final is final"


async def test_being_overtaken_is_counted_in_seconds(store: Store) -> None:
    first, _ = await store.submit(submission("k1"), LIMITS, NOW)
    second, _ = await store.submit(submission("k2", owner="bob", count=2), LIMITS, NOW)
    rows = await store.rows([first.id, second.id])
    passed = rows[first.id][0].seq
    await store.claim(rows[second.id][0].seq, [passed], NOW + 5, seconds=32.0)
    await store.claim(rows[second.id][1].seq, [passed], NOW + 605, seconds=12.0)
    found = await store.row(passed)
    assert found is not None
    assert found.overtaken_seconds == 44.0
    assert await store.served() == {("c", "bob"): Service(at=NOW + 605, seconds=28.0)}, "what was before counts half"


async def test_chat_is_forgotten_an_hour_after_its_end(store: Store) -> None:
    row = await claimed(store, kind="chat")
    assert await store.forget(NOW + 10_000) == [], "it still runs"
    assert await store.succeed(row, make_results.answer("hello"), None, NOW)
    assert await store.forget(NOW + 3_599) == []
    assert await store.forget(NOW + 3_601) == [row.job_id]
    job = await store.job(row.job_id)
    assert job is not None
    assert job.content is None
    assert (await state_of(store, row)).answer == make_results.answer("")


async def test_words_of_encrypted_rooms_go_with_their_pictures(store: Store) -> None:
    request = make_requests.resolved(asked={"prompt": "otter"}, steps=3)
    new = replace(submission(count=2), private=True, request=request)
    job, _ = await store.submit(new, LIMITS, NOW)
    for seq in [row.seq for row in (await store.rows([job.id]))[job.id]]:
        row = await store.claim(seq, [], NOW)
        assert row is not None
        image = ImageRow(
            image_id=f"i{row.idx}", client="c", job_id=job.id, idx=row.idx, relpath=f"d/{row.idx}", mimetype="",
            thumbnail_type="", private=True, created_at=NOW, delivered_at=None, gone_at=None,
        )  # fmt: skip
        result = make_results.picture(prompt="otter", negative_prompt="cat", steps=3, parser="", versions={})
        await store.succeed(row, result.model_copy(update={"filename": "otter.png"}), image, NOW)
    await store.images_gone(["d/0"], NOW)
    first = await store.image("i0", "c")
    assert first is not None
    await store.forget_record(first)
    rows = (await store.rows([job.id]))[job.id]
    assert "otter" not in str(rows[0].result)
    assert rows[0].picture is not None
    assert rows[0].picture.record.used.steps == 3
    assert "otter" in str(rows[1].result), "it is still to be delivered"
    await store.forget(NOW + 9_999, private_requests=True)
    assert "otter" in str(await store.job(job.id))
    await store.images_gone(["d/1"], NOW)
    await store.forget(NOW + 9_999, private_requests=False)
    assert "otter" in str(await store.job(job.id))
    await store.forget(NOW + 9_999, private_requests=True)
    assert "otter" not in str(await store.job(job.id))
    again, is_new = await store.submit(new, LIMITS, NOW + 10_000)
    assert (again.id, is_new) == (job.id, False), "its key is still known"


async def test_keys_live_thirty_days(store: Store) -> None:
    row = await claimed(store)
    await store.forget(NOW + 40 * 86_400)
    assert await store.by_key("c", "k") is not None, "an open job is never forgotten"
    await store.succeed(row, make_results.picture(), None, NOW)
    await store.forget(NOW + 29 * 86_400)
    assert await store.by_key("c", "k") is not None
    await store.forget(NOW + 31 * 86_400)
    assert await store.by_key("c", "k") is None
    assert await store.row(row.seq) is None


async def test_a_failed_transaction_leaves_nothing(database: Database, store: Store) -> None:
    async def broken() -> None:
        async with database.transaction() as connection:
            await connection.execute(q.SET_META, ("a", "1"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await broken()
    assert await store.meta("a") is None
    await store.set_meta("a", {"b": None})
    assert await store.meta("a") == {"b": None}


async def test_cancelled_anywhere_a_transaction_is_whole_or_nothing(database: Database, store: Store) -> None:
    for number in range(60):
        work = asyncio.create_task(store.submit(submission(f"k{number}", count=3, owner=f"o{number}"), LIMITS, NOW))
        for _ in range(number):
            await asyncio.sleep(0.0001)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await store.set_meta("a", number)
    rows = await database.fetch("SELECT COUNT(*) AS n FROM rows GROUP BY job_id")
    assert {row["n"] for row in rows} <= {3}
    assert await store.meta("a") == 59
    assert not database._writer.in_transaction


async def test_the_schedule_sees_which_card_a_row_is_to_come_from(store: Store) -> None:
    rows = [NewRow(idx=n, seed=n, model="m", work=1.0, card=card) for n, card in enumerate(("", "GTX 1070", ""))]
    await store.submit(replace(submission(), rows=rows), LIMITS, NOW)
    assert [(head.seq, head.card, head.count) for head in await store.heads()] == [(1, "", 2), (2, "GTX 1070", 1)]


async def test_questions_about_the_queue_use_the_index(database: Database) -> None:
    for sql, parameters in (
        (q.OPEN_OF_CLIENT, ("otterbot",)),
        (q.OPEN_OF_OWNER, ("c", "o")),
        (q.GROUPS, ()),
        (q.POSITIONS_OF_OWNER, ("c", "o")),
    ):
        plan = " ".join(row["detail"] for row in await database.fetch(f"EXPLAIN QUERY PLAN {sql}", parameters))
        assert "COVERING INDEX rows_open" in plan, plan


STATES = [
    ("QR", State.RUNNING), ("QS", State.QUEUED), ("SS", State.SUCCEEDED), ("SF", State.FAILED), ("SC", State.CANCELLED),
    ("FC", State.CANCELLED), ("FF", State.FAILED), ("RF", State.RUNNING),
]  # fmt: skip
LETTERS = {state.value[0].upper(): state for state in State}


@pytest.mark.parametrize(("letters", "expected"), STATES)
def test_a_jobs_state_comes_from_its_rows(letters: str, expected: State) -> None:
    assert derived_state(LETTERS[letter] for letter in letters) is expected


def test_seeds_go_round() -> None:
    assert [seed_of(2**32 - 2, k) for k in range(4)] == [2**32 - 2, 2**32 - 1, 0, 1]


async def test_turns_keep_their_order_when_the_clock_is_set_back(store: Store) -> None:
    for owner, when in (("ann", NOW + 86_400), ("bob", NOW), ("eve", NOW + 1)):
        job, _ = await store.submit(submission(f"k-{owner}", owner=owner), LIMITS, NOW)
        assert await store.claim((await store.rows([job.id]))[job.id][0].seq, [], when)
    served = await store.served()
    assert sorted(served, key=lambda owner: served[owner].at) == [("c", "ann"), ("c", "bob"), ("c", "eve")]


async def test_what_somebody_had_fades_after_the_clock_was_far_ahead(store: Store) -> None:
    job, _ = await store.submit(submission("k1", count=3), LIMITS, NOW)
    rows = (await store.rows([job.id]))[job.id]
    for row, when in zip(rows, (NOW + 10 * 86_400, NOW, NOW + 1_200), strict=True):
        assert await store.claim(row.seq, [], when, seconds=40.0)
    served = (await store.served())["c", "ann"]
    assert served.at == pytest.approx(NOW + 1_200)
    assert served.seconds == pytest.approx(40.0 + (40.0 + 40.0) / 4), "two half-lives later"


async def test_a_damaged_file_is_left_alone_and_told(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    path.write_bytes(os.urandom(8_192))
    before = path.read_bytes()
    with pytest.raises(DamagedDatabase, match=r"jobs\.sqlite is damaged"):
        await Database.open(path)
    assert path.read_bytes() == before
