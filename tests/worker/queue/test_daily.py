"""A client's pictures and answers in 24 hours, judged in the transaction that accepts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import make_requests
import make_results
import pytest
import pytest_asyncio

from otterbot_worker.queue import daily
from otterbot_worker.queue import queries as q
from otterbot_worker.queue.daily import DAY, DailyLimit
from otterbot_worker.queue.database import Database
from otterbot_worker.queue.model import ImageRow, NewRow
from otterbot_worker.queue.store import Store
from otterbot_worker.queue.submission import Limits, Submission
from otterbot_worker.schemas.resolved import ResolvedChat

NOW = 1_000_000.0
FIVE = Limits(open_rows=100, open_rows_per_owner=100, per_day=5, answers_per_day=2)


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "jobs.sqlite")
    yield opened
    await opened.close()


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


def job(key: str, count: int = 1, *, client: str = "c", chat: bool = False, **fields: object) -> Submission:
    return Submission(
        client=client, key=key, body_hash="h", kind="chat" if chat else "image", owner=key, room="r", private=False,
        request=ResolvedChat(model="m") if chat else make_requests.resolved(), content=[] if chat else None,
        rows=[NewRow(idx=n, seed=n, model="m", work=1.0) for n in range(count)], **fields,  # type: ignore[arg-type]
    )  # fmt: skip


async def refused(store: Store, new: Submission, now: float = NOW) -> DailyLimit:
    with pytest.raises(DailyLimit) as raised:
        await store.submit(new, FIVE, now)
    return raised.value


def test_when_a_limit_ends() -> None:
    used = [(NOW - DAY + 60, 2), (NOW - DAY + 120, 1), (NOW - 5, 2)]
    for asks, wait in ((1, 60), (2, 60), (3, 120), (4, DAY - 5), (5, DAY - 5)):
        with pytest.raises(DailyLimit) as raised:
            daily.check("pictures", 5, used, asks, NOW)
        assert (raised.value.wait, raised.value.left) == (wait, 0)
    with pytest.raises(DailyLimit) as raised:
        daily.check("pictures", 5, used, 6, NOW)
    assert raised.value.wait is None, "never"
    daily.check("pictures", 6, used, 1, NOW)
    daily.check("pictures", 5, [], 5, NOW)
    with pytest.raises(DailyLimit) as raised:
        daily.check("pictures", 1, [(NOW + 10 * DAY, 1)], 1, NOW)
    assert raised.value.wait == DAY, "a clock that was set back makes nobody wait for longer than a day"


async def test_of_twenty_at_once_five_are_accepted(store: Store) -> None:
    done = await asyncio.gather(*(store.submit(job(f"k{n}"), FIVE, NOW) for n in range(20)), return_exceptions=True)
    assert sum(isinstance(one, DailyLimit) for one in done) == 15
    assert sum(isinstance(one, tuple) for one in done) == 5
    assert (await store.submit(job("other", client="d"), FIVE, NOW))[1], "another client has a day of its own"


async def test_a_known_key_is_no_new_picture(store: Store) -> None:
    first, _ = await store.submit(job("k", 5), FIVE, NOW)
    again, is_new = await store.submit(job("k", 5), FIVE, NOW)
    assert (again.id, is_new) == (first.id, False)


async def test_the_day_is_the_last_24_hours(store: Store) -> None:
    await store.submit(job("a", 3), FIVE, NOW)
    await store.submit(job("b", 2), FIVE, NOW + 3_600)
    over = await refused(store, job("c", 2), NOW + 7_200)
    assert (over.left, over.wait) == (0, DAY - 7_200)
    over = await refused(store, job("c", 3), NOW + DAY + 1_800 - 1_801)
    assert over.wait == pytest.approx(1)
    await store.submit(job("c", 3), FIVE, NOW + DAY + 1)
    over = await refused(store, job("d", 1), NOW + DAY + 2)
    assert over.wait == pytest.approx(3_600 - 2)


async def test_what_came_to_nothing_does_not_count(store: Store) -> None:
    waiting, _ = await store.submit(job("a", 3), FIVE, NOW)
    await store.cancel(waiting.id, NOW)
    failing, _ = await store.submit(job("b", 1), FIVE, NOW)
    row = (await store.rows([failing.id]))[failing.id][0]
    claimed = await store.claim(row.seq, [], NOW)
    assert claimed is not None
    await store.fail(claimed, make_results.failure(), NOW)
    begun, _ = await store.submit(job("c", 1), FIVE, NOW)
    row = (await store.rows([begun.id]))[begun.id][0]
    await store.claim(row.seq, [], NOW)
    await store.cancel(begun.id, NOW)
    over = await refused(store, job("d", 5))
    assert over.left == 4, "one that was cancelled while it was drawn took its time on the card"


async def test_a_picture_of_the_archive_is_not_drawn_again(store: Store, database: Database) -> None:
    result = make_results.picture()
    image = ImageRow(
        image_id=result.image_id, client="c", job_id="old", idx=0, relpath="p", mimetype="image/png",
        thumbnail_type="image/jpeg", private=False, created_at=NOW, delivered_at=None, gone_at=None,
    )  # fmt: skip
    await database.write(q.INSERT_IMAGE, image.values())
    drawn = [NewRow(idx=n, seed=n, model="m", work=1.0, drawn=result if n == 0 else None) for n in range(6)]
    await store.submit(Submission(**{**vars(job("a")), "rows": drawn}), FIVE, NOW)
    assert (await refused(store, job("b"))).left == 0


async def test_answers_have_a_limit_of_their_own(store: Store) -> None:
    await store.submit(job("a", 5), FIVE, NOW)
    await store.submit(job("b", chat=True), FIVE, NOW)
    await store.submit(job("c", chat=True), FIVE, NOW)
    over = await refused(store, job("d", chat=True))
    assert (over.things, over.limit) == ("answers", 2)


async def test_a_share_is_one_persons_turn_whatever_owners_are_named(store: Store) -> None:
    await store.submit(job("a", share="program"), FIVE, NOW)
    await store.submit(job("b", share="program"), FIVE, NOW)
    await store.submit(job("c"), FIVE, NOW)
    assert {head.owner for head in await store.heads()} == {"program", "c"}
    assert set(await store.positions("c", "program")) == {one.id for one in await store.jobs(
        "c", room=None, only_open=True, limit=9) if one.owner != "c"}  # fmt: skip


async def test_the_count_reads_only_this_clients_last_day(database: Database) -> None:
    for sql in (q.PICTURES_OF_LATE, q.ANSWERS_OF_LATE):
        plan = " ".join(row["detail"] for row in await database.fetch(f"EXPLAIN QUERY PLAN {sql}", ("c", 1.0)))
        assert "jobs_of_client (client=? AND created_at>?)" in plan
        assert "SCAN" not in plan
