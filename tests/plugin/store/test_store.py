"""The database: each move happens once, and nothing is half done."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from mautrix.util.async_db import Database

from otterbot.store import store as store_module
from otterbot.store.migrations import upgrade_table
from otterbot.store.quotas import Follow, Over, Quota
from otterbot.store.recovery_keys import RecoveryKey, RecoveryKeys
from otterbot.store.rows import Kind, Part, PartState, Rank, Request, RequestState, key_of, transaction_id
from otterbot.store.store import Commit, Store

NOBODY = 65534


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL of our own, which refuses to be root; skips where there is none."""
    server = shutil.which("postgres") or "/usr/local/bin/postgres"
    initdb = shutil.which("initdb") or str(Path(server).parent / "initdb")
    if not Path(server).exists() or not Path(initdb).exists():
        pytest.skip("no PostgreSQL here")
    root = os.geteuid() == 0
    user: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if root else {}
    with tempfile.TemporaryDirectory(prefix="otterbot-pg") as folder, socket.socket() as probe:
        if root:
            os.chown(folder, NOBODY, NOBODY)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        made = subprocess.run(
            [initdb, "-D", f"{folder}/data", "-A", "trust", "-U", "otter", "--no-sync"],
            capture_output=True, cwd=folder, check=False, **user,
        )  # fmt: skip
        if made.returncode:
            pytest.skip("PostgreSQL cannot be set up here")
        options = ["-D", f"{folder}/data", "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        running = subprocess.Popen([server, *options], cwd=folder, **quiet, **user)
        try:
            yield f"postgres://otter@127.0.0.1:{port}/postgres"
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(20)


async def _started(url: str) -> Database:
    db = Database.create(url, upgrade_table=upgrade_table)
    for _ in range(100):
        try:
            await db.start()
            return db
        except (OSError, asyncpg.PostgresError):
            await asyncio.sleep(0.1)  # it is still waking up
    raise AssertionError("PostgreSQL does not come up")


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        db = await _started(f"sqlite:{tmp_path}/plugin.db")
        yield db
    else:
        url = request.getfixturevalue("postgres")
        db = await _started(url)
        yield db
        await db.execute("DROP SCHEMA public CASCADE")
        await db.execute("CREATE SCHEMA public")
    await db.stop()


@pytest_asyncio.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    opened = Store(database)
    await opened.open()
    yield opened
    await opened.close()


def request(number: int = 1, **more: object) -> Request:
    values: dict[str, object] = {
        "key": key_of("@bot:x", "!r", f"$e{number}"), "room_id": "!r", "event_id": f"$e{number}", "sender": "@a:x",
        "kind": "image", "body": {"prompt": "Oregon 💚", "seed": 1}, "asked": {"prompt": "Oregon 💚"},
        "notes": ("a note",), "created_at": float(number), "expires_at": time.time() + 60,
    }  # fmt: skip
    return Request(**{**values, **more})  # type: ignore[arg-type]


async def test_keys_are_the_same_for_ever() -> None:
    assert key_of("@bot:x", "!r", "$e") == "b9e3e25fdca7de8d86c93bc0b39ad13e6fa6c2e1"
    assert transaction_id("k", "picture/0") == "2f9692822b6eb66ad318023117aeee44ba5f207b"
    assert key_of("@bot:x", "!r", "$e") != key_of("@bot:x", "!r", "$e", "$edit")
    assert key_of("@bot:x", "!r", "$e", None) == key_of("@bot:x", "!r", "$e", "")


async def test_a_message_is_committed_once_with_all_that_follows(store: Store) -> None:
    asked = request()
    ack = Part(key=asked.key, part="ack", room_id="!r", kind=Kind.REACTION, rank=Rank.REACTION, content={"a": 1})
    commit = Commit(mark="$e1", room_id="!r", request=asked, parts=[ack], setting=("model", "ssd-1b"))
    assert (await store.commit(commit)).fresh
    assert not (await store.commit(replace(commit, setting=("model", "other")))).fresh
    assert await store.room_setting("!r", "model") == "ssd-1b"
    assert await store.is_handled("$e1")
    [found] = await store.open_requests()
    assert found == asked
    assert [part.id for part in await store.pending_parts()] == [ack.id]
    assert (await store.pending_parts())[0].content == {"a": 1}


async def counted(store: Store, quota: Quota, number: int, **more: Any) -> Over | None:
    """A request that is committed if it is within the quota."""
    asked = request(number, **{"created_at": time.time(), **more})
    done = await store.commit(Commit(mark=asked.event_id, room_id=asked.room_id, request=asked, quotas=[quota]))
    assert done.fresh
    assert await store.is_handled(asked.event_id) is (done.over is None), "nothing of it is stored"
    return done.over


async def test_two_at_once_do_not_both_get_the_last_place(store: Store) -> None:
    quota = Quota(scope="person", kind="image", sender="@a:x", per_day=3)
    found = await asyncio.gather(*(counted(store, quota, number) for number in range(8)))
    assert sum(over is None for over in found) == 3
    assert len(await store.open_requests()) == 3
    assert await counted(store, quota, 20, sender="@b:x") is not None, "whoever asks: the quota says whose count"
    elsewhere = Quota(scope="room", kind="image", room="!elsewhere", per_day=1)
    assert await counted(store, elsewhere, 21, room_id="!elsewhere") is None
    assert await counted(store, elsewhere, 22, room_id="!elsewhere") is not None
    assert await counted(store, Quota(scope="instance", kind="chat", per_day=1), 23, kind="chat") is None


async def test_only_what_was_made_counts_once_it_is_over(store: Store) -> None:
    quota = Quota(scope="person", kind="image", sender="@a:x", per_day=4)
    four = {"body": {"prompt": "x", "seed": 1, "count": 4}}
    assert await counted(store, quota, 1, **four) is None
    assert await store.used(quota) == 4, "as long as it is open, all of it"
    await store.commit(Commit(mark=None, room_id="!r", cancel=[request(1).key]))
    assert await store.used(quota) == 0, "cancelled before anything was drawn"
    assert await counted(store, quota, 2, **four) is None
    await store.set_made(request(2).key, 3)
    await store.set_made(request(2).key, 2)
    await store.commit(Commit(mark=None, room_id="!r", cancel=[request(2).key]))
    assert await store.used(quota) == 3
    over = await counted(store, quota, 3, **four)
    assert over is not None
    assert over.left == 1
    replaced = Commit(mark="$e9", room_id="!r", request=replace(request(9), created_at=time.time()), quotas=[quota])
    assert (await store.commit(replaced)).over is None
    edited = Commit(mark="$e10", room_id="!r", request=replace(request(10), created_at=time.time()), quotas=[quota],
                    cancel=[request(9).key])  # fmt: skip
    assert (await store.commit(edited)).over is None, "what it replaces makes room for it"


async def test_a_room_counts_with_the_rooms_that_it_replaces(store: Store) -> None:
    quota = Quota(scope="room", kind="image", room="!new", per_day=1)
    assert await counted(store, replace(quota, room="!old"), 1, room_id="!old") is None
    assert await store.used(quota) == 0
    await store.inherit("!new", "!old", {}, None)
    assert await counted(store, quota, 2, room_id="!new") is not None


async def test_a_request_that_follows_is_within_the_quotas_or_something_is_said_instead(store: Store) -> None:
    quota = Quota(scope="person", kind="image", sender="@a:x", per_day=1)
    instead = Part(key="k", part="reply", room_id="!r", content={})
    for number, expected in ((1, True), (2, False)):
        turn = request(10 + number, kind="chat")
        await store.commit(Commit(mark=None, room_id="!r", request=turn))
        ack = Part(key=request(number).key, part="ack", room_id="!r", content={})
        follow = Follow(
            request=replace(request(number), created_at=time.time()), parts=[ack], quotas=[quota], instead=[instead]
        )
        done = await store.finish(turn.key, "succeeded", follow=follow)
        assert (done.done, done.followed) == (True, expected)
        assert [part.part for part in done.parts] == ["ack" if expected else "reply"]
        assert (await store.request(request(number).key) is not None) is expected


async def test_a_setting_can_be_taken_back(store: Store) -> None:
    await store.commit(Commit(mark="$1", room_id="!r", setting=("model", "x")))
    await store.commit(Commit(mark="$2", room_id="!r", setting=("model", None)))
    assert await store.room_setting("!r", "model") is None


async def test_a_failing_commit_leaves_nothing(store: Store) -> None:
    bad = replace(request(), asked={"not json": object()})
    with pytest.raises(TypeError):
        await store.commit(Commit(mark="$e1", room_id="!r", request=bad))
    assert not await store.is_handled("$e1")
    assert (await store.commit(Commit(mark="$e1", room_id="!r", request=request()))).fresh


async def test_requests_move_forward_once(store: Store) -> None:
    asked = request()
    await store.commit(Commit(mark="$e1", room_id="!r", request=asked))
    assert await store.submitted(asked.key, "job-1")
    assert await store.kept_again(asked.key)
    assert not await store.kept_again(asked.key)
    assert await store.submitted(asked.key, "job-2")
    part = Part(key=asked.key, part="final", room_id="!r", content={"b": 1})
    assert (await store.finish(asked.key, "failed", [part])).done
    assert not (await store.finish(asked.key, "succeeded", [replace(part, part="other")])).done
    found = await store.request(asked.key)
    assert found is not None
    assert (found.state, found.outcome, found.job_id) == (RequestState.DONE, "failed", "job-2")
    assert set(await store.parts_of(asked.key)) == {"final"}
    assert not await store.submitted(asked.key, "job-3")


async def test_cancel_is_of_the_room_and_owed_to_the_worker(store: Store) -> None:
    asked = request()
    await store.commit(Commit(mark="$e1", room_id="!r", request=asked))
    elsewhere = await store.commit(Commit(mark="$c1", room_id="!other", cancel=[asked.key]))
    assert elsewhere.cancelled == ()
    done = await store.commit(Commit(mark="$c2", room_id="!r", cancel=[asked.key, "unknown"]))
    assert [one.key for one in done.cancelled] == [asked.key]
    assert [one.key for one in await store.cancels_owed()] == [asked.key]
    await store.cancel_paid(asked.key)
    assert await store.cancels_owed() == []


async def test_open_requests_by_room_and_sender(store: Store) -> None:
    await store.commit(Commit(mark=None, room_id="!r", request=request(2)))
    await store.commit(Commit(mark=None, room_id="!r", request=request(1, sender="@b:x")))
    await store.commit(Commit(mark=None, room_id="!s", request=request(3, room_id="!s")))
    assert [one.event_id for one in await store.open_requests("!r")] == ["$e1", "$e2"]
    assert [one.event_id for one in await store.open_requests(sender="@b:x")] == ["$e1"]
    assert [one.event_id for one in await store.open_requests("!r", "@a:x")] == ["$e2"]
    assert await store.counts_elsewhere("!r") == 1
    newest = await store.request_by_event("$e1")
    assert newest is not None
    assert newest.sender == "@b:x"


async def test_parts_go_from_ready_over_sending_to_sent(store: Store) -> None:
    part = Part(key="k", part="picture/0", room_id="!r", rank=Rank.RESULT, image_id="i1")
    assert await store.add_part(part)
    assert not await store.add_part(part)
    assert await store.new_image("k", "picture/0", "i2")
    assert await store.mark_sending(*part.id)
    assert not await store.drop(*part.id)
    assert (await store.pending_parts())[0].state is PartState.SENDING
    assert await store.mark_sent(part, "$picture")
    assert not await store.mark_sent(part, "$again")
    assert not await store.mark_sending(*part.id)
    assert not await store.mark_failed(*part.id)
    assert await store.last_picture("!r") == "$picture"
    [owed] = await store.acks_owed()
    assert owed.image_id == "i2"
    await store.ack_paid(*part.id)
    assert await store.acks_owed() == []
    assert (await store.part_by_event("$picture")) is not None
    assert await store.owe_delete("$picture")
    assert not await store.owe_delete("$unknown")
    assert [one.image_id for one in await store.deletes_owed()] == ["i2"]
    await store.delete_paid(*part.id)
    assert await store.deletes_owed() == []


async def test_what_has_not_begun_can_be_dropped(store: Store) -> None:
    part = Part(key="k", part="status", room_id="!r", content={})
    await store.add_part(part)
    await store.mark_sending(*part.id)
    await store.unmark_sending(*part.id)
    assert await store.drop(*part.id)
    assert await store.pending_parts() == []


async def test_a_room_is_greeted_once(store: Store) -> None:
    part = Part(key="g", part="greeting", room_id="!r", content={})
    assert await store.greet("!r", part)
    assert not await store.greet("!r", replace(part, key="h"))
    await store.joined("!r", 5.0)
    assert not await store.greet("!r", replace(part, key="h"))


async def test_a_cancelled_write_is_whole_and_blocks_nobody(store: Store) -> None:
    for number in range(20):
        task = asyncio.create_task(store.commit(Commit(mark=f"$c{number}", room_id="!r", request=request(number))))
        await asyncio.sleep(0.0005 * (number % 4))
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await store.close()
    for number in range(20):
        handled = await store.is_handled(f"$c{number}")
        assert handled == ((await store.request(request(number).key)) is not None)
    assert (await store.commit(Commit(mark="$after", room_id="!r"))).fresh


async def test_pruning_keeps_what_is_still_needed(store: Store) -> None:
    await store.commit(Commit(mark="$e1", room_id="!r", request=request(1)))
    await store.commit(Commit(mark="$e2", room_id="!r", request=request(2)))
    await store.finish(request(1).key, "succeeded", [Part(key=request(1).key, part="done", room_id="!r", content={})])
    picture = Part(key=request(1).key, part="picture/0", room_id="!r", image_id="i")
    await store.add_part(picture)
    week = time.time() + 8 * store_module.DAY
    await store.prune(week)
    assert await store.request(request(1).key) is not None, "keys outlive the seven days"
    await store.prune(time.time() + store_module.KEEP_REQUESTS + 60)
    assert await store.request(request(1).key) is None
    assert await store.request(request(2).key) is not None, "it is still open"
    assert await store.is_handled("$e1")
    assert set(await store.parts_of(request(1).key)) == {"picture/0"}
    await store.prune(time.time() + store_module.KEEP_PICTURES + 60)
    assert not await store.is_handled("$e1")
    assert await store.parts_of(request(1).key) == {}


async def test_the_database_knows_its_age(database: Database, store: Store) -> None:
    again = Store(database)
    await again.open()
    assert again.installed_at == store.installed_at
    assert time.time() - again.installed_at < 60


async def test_a_close_waits_for_writes_that_are_done_already(store: Store) -> None:
    """Their callbacks have not run then; on Python 3.12 a wait for them stood still with all of Maubot."""

    async def written() -> None:
        return None

    task = asyncio.create_task(written())
    await asyncio.sleep(0)
    assert task.done()
    store._writes.add(task)  # as it is between the end of a write and its callback
    async with asyncio.timeout(60):
        await store.close()
    assert not store._writes


async def test_the_first_recovery_key_stays(database: Database) -> None:
    """Whoever made keys with it has published them by now."""
    keys = RecoveryKeys(database)
    assert await keys.get("@bot:x") is None
    first, second = (RecoveryKey(key_id=name, words=f"words of {name}") for name in ("one", "two"))
    assert await keys.keep("@bot:x", first) == first
    assert await keys.keep("@bot:x", second) == first
    assert await keys.get("@bot:x") == first
    assert await keys.get("@other:x") is None


async def test_when_a_part_was_last_said(store: Store) -> None:
    assert await store.last_part("!r", "unread") is None
    before = time.time()
    await store.add_part(Part(key="k", part="unread", room_id="!r"))
    last = await store.last_part("!r", "unread")
    assert last is not None
    assert before <= last <= time.time()
    assert await store.last_part("!other", "unread") is None
