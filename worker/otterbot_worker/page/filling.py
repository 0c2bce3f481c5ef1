"""Tells the gallery of pictures that are older than it, or that came back with a backup: from their jobs, or else from
their files, once."""

from __future__ import annotations

import asyncio
import logging
import sqlite3

from ..archive import Archive, reading
from ..archive.containers import BadPicture
from ..logs import Seldom
from ..queue import disk
from ..queue.gallery_rows import NOTHING, Gallery, Told, Untold, told

log = logging.getLogger(__name__)
_untold = Seldom(__name__, "the gallery could not be told of pictures")

AGAIN_SECONDS = 60.0
REST_SECONDS = 0.02
"""After each picture: whoever asks for something comes first."""


async def fill(gallery: Gallery, archive: Archive) -> None:
    """For ever."""
    while True:
        try:
            if archive.is_here():  # else its disk is missing: later
                await _once(gallery, archive)
        except sqlite3.Error as error:
            if not disk.passes(error):
                raise
            _untold.warning(kind=type(error).__name__)
        await asyncio.sleep(AGAIN_SECONDS)


async def _once(gallery: Gallery, archive: Archive) -> None:
    last = ""
    while found := await gallery.untold(last):
        for one in found:
            last = one.image.image_id
            try:
                await gallery.tell(last, await asyncio.to_thread(_look, one, archive))
            except OSError as error:  # nobody could look: it is tried again, and the others are told meanwhile
                _untold.warning(kind=type(error).__name__, errno=error.errno)
            await asyncio.sleep(REST_SECONDS)


def _look(one: Untold, archive: Archive) -> Told:
    """:raises OSError: the file cannot be read now"""
    if one.result is not None:
        return told(one.result)
    try:
        used = reading.read_record(archive.path(one.image.relpath))["used"]
    except (BadPicture, FileNotFoundError, ValueError):
        return NOTHING
    model, prompt = used.get("model"), used.get("prompt")
    return Told(model=model if isinstance(model, str) else "", prompt=prompt if isinstance(prompt, str) else "")
