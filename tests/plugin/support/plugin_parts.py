"""The plugin's parts for tests, built by the program's own composition."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

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


async def nowhere(*_: object) -> None:
    """Rooms are joined without asking anybody."""


async def build_parts(
    path: object,
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
