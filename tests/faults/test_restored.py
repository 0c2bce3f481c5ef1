"""The plugin's database comes out of a backup: what was said since is in the room, and is not said again."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from lab import Lab
from lab.lab import key_of
from lab.proc import until
from lab.timeline import timeline


@pytest.fixture(scope="module")
async def lab(folder: Path) -> AsyncIterator[Lab]:
    async with Lab(folder / "restored", plugin={"status": {"after_seconds": 1, "edit_seconds": 1}}) as lab:
        yield lab


def backed_up(database: Path, target: Path) -> None:
    """As an operator's nightly backup does it, while the plugin runs."""
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def restore(database: Path, backup: Path) -> None:
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()
    shutil.copy(backup, database)


async def said(lab: Lab, room: str) -> Counter[tuple[str, str, str]]:
    """What the bot has said, by key, part and words."""
    ours = [event for event in await timeline(lab.user, room) if event.sender == lab.bot and event.own]
    return Counter((e.own["key"], e.own["part"], e.body or str(e.reaction)) for e in ours)


async def test_nothing_is_said_twice_and_nothing_false(lab: Lab, tmp_path: Path) -> None:
    """One picture waits when the backup is made, with a status line; others are asked for afterwards. Of the encrypted
    room the worker has deleted them all since. The homeserver knows no transaction id any more, as a day later."""
    rooms = [await lab.room(encrypted=False), await lab.room(encrypted=True)]
    user, mark = lab.user, lab.user.mark()
    await lab.worker.api("POST", "/v1/pause", {})
    asked = [await user.send(room, "!draw otter --steps 2 --seed 1") for room in rooms]
    for event_id in asked:
        await user.wait_for(lab.reply_to(event_id, msgtype="m.notice"), mark)
    backed_up(lab.plugin_database, tmp_path / "backup.db")
    await lab.worker.api("POST", "/v1/resume")
    asked += [await user.send(room, "!draw otter --steps 2 --count 2") for room in rooms]
    for event_id in asked:
        await user.wait_for(lab.reaction(event_id, "✅"), mark, 60)
    for room in rooms:
        await lab.answer(room, "!queue")
    await until(lambda: not pending(lab), "everything is said", timeout=30)
    before = [await said(lab, room) for room in rooms]
    await lab.maubot.stop()
    restore(lab.plugin_database, tmp_path / "backup.db")
    with lab.matrix_proxy.forget_transactions():
        await lab.maubot.start()
        for room, known in zip(rooms, before, strict=True):
            new = await user.send(room, "!draw otter --steps 1 --seed 3")
            await user.wait_for(lab.reaction(new, "✅"), mark, 90)  # handled behind everything that the walk found
            await until(lambda: not pending(lab), "everything is said", timeout=60)
            own = key_of(lab.bot, room, new)
            added = await said(lab, room) - known
            assert [words for words in added.elements() if words[0] != own] == []
            assert len(await lab.pictures(room)) == 4


def queued(queue: Path) -> list[object]:
    with closing(sqlite3.connect(f"file:{queue}?mode=ro", uri=True, timeout=20)) as database:
        return list(database.execute("SELECT state FROM rows WHERE state IN ('queued', 'running')"))


def pending(lab: Lab) -> list[object]:
    query = (
        "SELECT key, part, state FROM parts WHERE state IN ('ready', 'sending') "
        "UNION ALL SELECT key, kind, state FROM requests WHERE state <> 'done'"
    )
    with closing(sqlite3.connect(f"file:{lab.plugin_database}?mode=ro", uri=True, timeout=20)) as database:
        return list(database.execute(query))


async def test_of_the_worker_s_queue_neither(lab: Lab, tmp_path: Path) -> None:
    """The worker's queue comes out of a backup: jobs wait there that were delivered since, and others that it had
    accepted are unknown to it. Each picture stands in its room once."""
    rooms = [await lab.room(encrypted=False), await lab.room(encrypted=True)]
    user, mark, queue = lab.user, lab.user.mark(), lab.worker.data / "jobs.sqlite"

    async def ask(words: str) -> list[str]:
        return [await user.send(room, words) for room in rooms]

    await lab.worker.api("POST", "/v1/pause", {})
    asked = await ask("!draw otter --steps 2 --seed 1")
    for event_id in asked:
        await user.wait_for(lab.reply_to(event_id, msgtype="m.notice"), mark)
    backed_up(queue, tmp_path / "backup.db")
    await lab.worker.api("POST", "/v1/resume")
    asked += await ask("!draw otter --steps 2 --seed 2")
    for event_id in asked:
        await user.wait_for(lab.reaction(event_id, "✅"), mark, 60)
    await lab.worker.api("POST", "/v1/pause", {})
    waiting = await ask("!draw otter --steps 2 --seed 3")
    for event_id in waiting:
        await user.wait_for(lab.reply_to(event_id, msgtype="m.notice"), mark)
    await lab.worker.stop()
    restore(queue, tmp_path / "backup.db")
    await lab.worker.start()
    await lab.worker.api("POST", "/v1/resume")
    waiting += await ask("!draw otter --steps 1 --seed 4")
    for event_id in waiting:
        await user.wait_for(lab.reaction(event_id, "✅"), mark, 90)
    await until(lambda: not pending(lab), "everything is said", timeout=60)
    await until(lambda: not queued(queue), "what was delivered before is over here too", timeout=60)
    for room in rooms:
        await lab.answer(room, "!queue")
        pictures = Counter(words[0] for words in await said(lab, room) if words[1].startswith("picture/"))
        assert len(await lab.pictures(room)) == 4
        assert set(pictures.values()) == {1}
