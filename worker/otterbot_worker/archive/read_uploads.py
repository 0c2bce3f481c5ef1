"""Asks `read_apart` what an uploaded file says of itself. The file lies in memory, and is gone with the question."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

WALL_SECONDS = 30.0
MOST_ANSWER = 4 * 1024 * 1024
"""Bytes: a file may have texts of a megabyte, and JSON makes six characters of some."""
TAKES_TOO_LONG = "takes too long to be read"
CANNOT = "breaks whatever reads it, so it is left alone"


class Unreadable(Exception):
    """Nothing can be read of it; the message ends a sentence that begins with the file."""


class TooLarge(Exception):
    """More bytes came than may."""


async def read(pieces: AsyncIterator[bytes], most: int) -> dict[str, Any]:
    """What `telling.everything` gives. ``pieces``: the file, at most ``most`` bytes.

    :raises TooLarge: :raises Unreadable: :raises OSError: no process or no memory for it
    """
    fd = os.memfd_create("upload", os.MFD_CLOEXEC)
    try:
        size = 0
        async for piece in pieces:
            size += len(piece)
            if size > most:
                raise TooLarge
            view = memoryview(piece)
            while view:
                view = view[os.write(fd, view) :]
        return _understood(await _asked(fd))
    finally:
        os.close(fd)


async def _asked(fd: int) -> bytes:
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "otterbot_worker.archive.read_apart", str(fd)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "MALLOC_ARENA_MAX": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        pass_fds=(fd,),
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(WALL_SECONDS):
            said = bytearray()
            while piece := await process.stdout.read(65_536):
                said += piece
                if len(said) > MOST_ANSWER:
                    raise Unreadable(CANNOT)
        return bytes(said)
    except TimeoutError:
        raise Unreadable(TAKES_TOO_LONG) from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await asyncio.shield(process.wait())


def _understood(said: bytes) -> dict[str, Any]:
    """:raises Unreadable:"""
    try:
        found = json.loads(said)
    except ValueError:
        raise Unreadable(CANNOT) from None
    if not isinstance(found, dict):
        raise Unreadable(CANNOT)
    if "problem" in found:
        raise Unreadable(str(found["problem"]))
    return found
