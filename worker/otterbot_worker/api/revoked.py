"""What a revoked token had open and waiting ends with it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sqlite3

from ..logs import Seldom
from ..queue import disk
from ..queue.store import Store
from ..runner.dispatcher import Dispatcher
from .auth import Tokens
from .events import Hub

LOOK_SECONDS = 0.5
MINUTE_LOOKS = 120
"""Looks after which revoked clients' jobs are cancelled once more: one may have been on its way in."""
MOST_JOBS = 10_000

log = logging.getLogger(__name__)
_unwritten = Seldom(__name__, "tokens could not be looked after")


async def watch(tokens: Tokens, hub: Hub, store: Store, dispatcher: Dispatcher) -> None:
    """For ever."""
    done: frozenset[str] = frozenset()
    for look in itertools.count():
        tokens.look()
        hub.close_unknown(tokens.knows)
        minute = look % MINUTE_LOOKS == 0
        try:
            if minute or tokens.revoked - done:
                done = tokens.revoked
                await cancel_all(done, store, dispatcher)
            if minute:
                await tokens.write_used()
        except (OSError, sqlite3.Error) as error:
            if isinstance(error, sqlite3.Error) and not disk.passes(error):
                raise
            done = frozenset()
            _unwritten.warning(kind=type(error).__name__)
        await asyncio.sleep(LOOK_SECONDS)


async def cancel_all(clients: frozenset[str], store: Store, dispatcher: Dispatcher) -> None:
    """Everything that these clients have waiting or running."""
    for client in clients & await store.open_clients():
        jobs = await store.jobs(client, room=None, only_open=True, limit=MOST_JOBS)
        for job in jobs:
            await dispatcher.cancel(job)
        log.info("cancelled what a revoked token had waiting", extra={"client": client, "jobs": len(jobs)})
