"""What servers send and databases kept, read with suspicion: what is of another kind becomes empty, or an error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

MAX_LINE = 1024 * 1024


class BrokenStream(Exception):
    """What came is no stream of JSON objects."""


def number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


async def objects(content: aiohttp.StreamReader, pause: float) -> AsyncIterator[dict[str, Any]]:
    """The JSON objects of a stream, one per line. Raises `TimeoutError` when nothing comes for ``pause`` seconds."""
    buffer = b""
    while True:
        async with asyncio.timeout(pause):
            chunk = await content.readany()
        *lines, buffer = (buffer + chunk).split(b"\n")
        if not chunk:
            lines, buffer = [buffer], b""
        for line in lines:
            if line.strip():
                yield _object(line)
        if not chunk:
            return
        if len(buffer) > MAX_LINE:
            raise BrokenStream("an endless line")


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        raise BrokenStream("no JSON") from None
    if not isinstance(found, dict):
        raise BrokenStream("no object")
    return found
