"""What other programs had asked for when the last worker ended: nobody waits for it any more."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Sequence

from .. import delivery
from ..parts import Parts

log = logging.getLogger(__name__)


async def clear(parts: Parts, rooms: Sequence[str]) -> None:
    """At the start: open jobs are cancelled, and pictures that nobody fetched count as delivered, since the links to
    them ended with the process that signed them. A disk that is full or missing is no reason not to start: then the
    jobs are drawn for nobody, and the pictures leave in a week."""
    try:
        await _clear(parts, rooms)
    except (OSError, sqlite3.Error) as error:
        log.warning("what other programs left could not be cleared away", extra={"kind": type(error).__name__})


async def _clear(parts: Parts, rooms: Sequence[str]) -> None:
    jobs = await parts.store.open_in(rooms)
    for job in jobs:
        await parts.dispatcher.cancel(job)
    images = await parts.store.undelivered_in(rooms)
    for image in images:
        await delivery.delivered(parts, image, time.time())
    if jobs or images:
        log.info("other programs' requests that nobody waits for", extra={"jobs": len(jobs), "pictures": len(images)})
