"""The plugin's parts for tests, built by the program's own composition."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from mautrix.client import Client
from mautrix.client.state_store import MemoryStateStore
from mautrix.types import UserID
from mautrix.util.async_db import Database
from ruamel.yaml.comments import CommentedMap

from otterbot.bot.parts import Parts, Surroundings, build
from otterbot.config import Config, Values
from otterbot.store.migrations import upgrade_table
from otterbot.worker.client import Address


def config_of(values: Values) -> Config:
    """A configuration without a file; ``current`` can be set."""
    config = Config(CommentedMap, lambda: None, lambda data: None)
    config.current = values
    return config


_NEW: list[bytes] = []


async def _new_database() -> bytes:
    """A file as all migrations leave it, which takes sixty statements: made once, for tests that are about other
    things."""
    if not _NEW:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "new.db"
            database = Database.create(f"sqlite:{file}", upgrade_table=upgrade_table)
            await database.start()
            await database.stop()
            _NEW.append(file.read_bytes())
    return _NEW[0]


async def nowhere(*_: object) -> None:
    """Rooms are joined without asking anybody."""


async def build_parts(
    path: Path | str,
    *,
    bot: str,
    homeserver: str,
    config: Config,
    address: Callable[[], Address],
    log: logging.Logger,
    join: Callable[[str, str | None], Awaitable[object]] = nowhere,
    accept: Callable[[str], Awaitable[object]] = nowhere,
) -> Parts:
    """On a database in that file; the client is a real one of mautrix."""
    if not Path(path).exists():
        Path(path).write_bytes(await _new_database())
    database = Database.create(f"sqlite:{path}", upgrade_table=upgrade_table)
    await database.start()
    client = Client(mxid=UserID(bot), base_url=homeserver, token="secret", state_store=MemoryStateStore())
    return await build(
        Surroundings(
            client=client,
            database=database,
            config=config,
            log=log,
            address=address,
            join=join,
            accept=accept,
            restart_sync=lambda: None,
        )
    )


async def stop_parts(parts: Parts) -> None:
    """As a crash: nothing is tidied up but connections."""
    await parts.stop()
    await parts.around.client.api.session.close()
    await parts.around.database.stop()
