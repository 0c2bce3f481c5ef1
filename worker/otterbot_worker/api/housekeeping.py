"""Periodic clean-up: forgetting texts, the archive's limits, and, at the start, files and rows that do not belong
together."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Collection
from pathlib import Path

from .. import privacy
from ..archive import Archive, Known
from ..archive.retention import UNDELIVERED_SECONDS
from ..config import Config
from ..logs import Seldom
from ..queue import disk
from ..queue.image_rows import ImageRows
from ..queue.input_rows import Inputs
from ..queue.model import ImageRow
from ..queue.sheet_rows import SheetRows
from ..queue.store import Store

log = logging.getLogger(__name__)
_untidy = Seldom(__name__, "files could not be looked after")

FORGET_SECONDS = 60.0


async def keep_house(
    config: Config,
    clients: Collection[str],
    store: Store,
    archive: Archive,
    inputs: Inputs,
    rows: ImageRows,
    sheets: SheetRows,
) -> None:
    """For ever. ``clients``: all that there are."""
    begun, sweep_at = time.time(), 0.0
    try:
        await close_to_others(config, archive)
        await find_strays(clients, store, archive, rows, begun)
    except (OSError, sqlite3.OperationalError) as error:
        _untidy.warning(kind=type(error).__name__)
    while True:
        try:
            await store.forget(time.time(), private_requests=config.archive.encrypted_rooms == "until_delivered")
            await inputs.prune(time.time())
            await no_longer_chosen_from(store, archive, rows, sheets)
            if time.monotonic() >= sweep_at:
                await sweep(store, archive, rows)
                sweep_at = time.monotonic() + config.archive.sweep_minutes * 60
        except (OSError, sqlite3.Error) as error:
            if isinstance(error, sqlite3.Error) and not disk.passes(error):
                raise
            _untidy.warning(kind=type(error).__name__, errno=getattr(error, "errno", None))
        await asyncio.sleep(FORGET_SECONDS)


async def close_to_others(config: Config, archive: Archive) -> None:
    """Remove others' access rights: files of older versions, or in a folder that existed before, may be readable by
    everybody."""
    closed = await asyncio.to_thread(privacy.close_to_others, _small_files(config))
    for folder in await asyncio.to_thread(archive.folders):
        # One folder at a time: stopping the worker must not wait for a large archive.
        closed += await asyncio.to_thread(archive.close_to_others, folder)
    if closed:
        log.info("files that others on this machine could read are closed to them", extra={"count": closed})


def _small_files(config: Config) -> list[Path]:
    database = config.database
    around = [database.with_name(database.name + ending) for ending in ("", "-wal", "-shm")]
    tokens = [config.tokens_file, config.tokens_used_file]
    inputs = [config.inputs_dir, *config.inputs_dir.glob("*"), *config.inputs_dir.glob("*/*")]
    return [*around, config.listen_file, config.data_dir / "worker.lock", *tokens, *inputs]


async def find_strays(clients: Collection[str], store: Store, archive: Archive, rows: ImageRows, begun: float) -> None:
    """Pictures without a row: the database was restored from an older backup.

    Those of encrypted rooms are deleted: their clients let them be drawn again, and nobody else could ever delete them.
    The others get their rows back from their sidecars, so that their client can fetch and delete them again. Pictures
    that were deleted and came back with a backup of the archive are deleted again. Files without an owner in the
    sidecar belong to a person and stay.
    """
    gone: list[str] = []
    adopted = 0
    for file in await archive.strays(_known(await store.images_here())):
        if file.modified >= begun or file.owner is None or file.owner.client not in clients:
            continue  # possibly just drawn, its row not written yet
        row = await rows.of(file.owner.image_id)
        if row is not None and row.gone_at is None:
            continue  # a copy of a picture that the archive has at its own place
        if row is not None or archive.gone_when_delivered(bool(file.private)):
            await archive.delete(file.relpath)
            gone.append(file.relpath)
        else:
            await rows.adopt(file)
            adopted += 1
    if gone or adopted:
        log.warning("pictures that the database did not know", extra={"deleted": len(gone), "taken_in": adopted})


async def no_longer_chosen_from(store: Store, archive: Archive, rows: ImageRows, sheets: SheetRows) -> None:
    """Encrypted rooms' pictures on contact sheets that were delivered leave once people have had time to choose."""
    over = [image for image in await sheets.chosen_from(time.time()) if archive.gone_when_delivered(image.private)]
    for image in over:
        await archive.delete(image.relpath)
    if over:
        gone = [image.relpath for image in over]
        await store.images_gone(gone, time.time())
        await rows.forget_private(gone)


async def sweep(store: Store, archive: Archive, rows: ImageRows) -> None:
    """Applies the archive's limits; what cannot be read now is tried again next time."""
    here = await store.images_here()
    try:
        gone = await archive.sweep(_known(here))
        gone += await _without_file(archive, here)
    except OSError as error:
        _untidy.warning(errno=error.errno)
        return
    if gone:
        log.info("pictures deleted by the archive's limits", extra={"count": len(gone)})
        await store.images_gone(gone, time.time())
        await rows.forget_private(gone)


async def _without_file(archive: Archive, here: list[ImageRow]) -> list[str]:
    """Rows of encrypted rooms whose file was deleted by hand: their texts have to be forgotten. Only rows older than
    the time for delivery, since a disk may be missing for a while."""
    before = time.time() - UNDELIVERED_SECONDS
    old = [row.relpath for row in here if archive.gone_when_delivered(row.private) and row.created_at < before]
    return await asyncio.to_thread(lambda: [relpath for relpath in old if not archive.path(relpath).exists()])


def _known(here: list[ImageRow]) -> list[Known]:
    now = time.time()
    return [
        Known(relpath=row.relpath, private=row.private, delivered=row.delivered(now), kept=row.kept) for row in here
    ]
