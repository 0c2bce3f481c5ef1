"""A plugin's database that is put back from a backup, and what is read from it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from listening import Listening
from plugin_rig import Rig

from otterbot.store.rows import Request


def backed_up(rig: Rig) -> Path:
    """As a nightly backup does it."""
    target = rig.path.with_suffix(".backup")
    with closing(sqlite3.connect(rig.path)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    return target


async def restored(rig: Rig, backup: Path) -> None:
    """The next start is with the database of then, at a homeserver that knows no transaction id any more."""
    await rig.stop()
    for path in rig.path.parent.glob(f"{rig.path.name}*"):
        path.unlink()
    backup.rename(rig.path)
    rig.server.forget_transactions = True
    await rig.run()


async def quiet(rig: Rig) -> None:
    """Until nothing is owed any more."""
    end = asyncio.get_running_loop().time() + 15
    while await rig.store.pending_parts() or await rig.store.open_requests():
        assert asyncio.get_running_loop().time() < end, "something is still owed"
        await asyncio.sleep(0.02)


async def moved(rig: Rig, request: Request, room: str = "!new:test") -> None:
    async def there() -> bool:
        found = await rig.store.request(request.key)
        return found is not None and found.room_id == room

    end = time.monotonic() + 60
    while not await there():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


def handled(rig: Rig, event_id: str) -> bool:
    with closing(sqlite3.connect(rig.path)) as database:
        return database.execute("SELECT 1 FROM handled WHERE event_id = ?", (event_id,)).fetchone() is not None


async def listening_again(rig: Rig, listening: Listening, backup: Path, event_id: str) -> Listening:
    """A start on the database of then, until the message of that id is handled; the worker has lost its pictures."""
    await listening.events.stop()
    rig.worker_server.images.clear()
    await restored(rig, backup)
    again = Listening(rig)
    again.start()
    await rig.until(lambda: handled(rig, event_id))
    await quiet(rig)
    return again
