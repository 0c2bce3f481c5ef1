"""Server-sent events out of a stream of bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator

MAX_EVENT = 64 * 1024 * 1024
"""Bytes. A snapshot holds every open job."""


async def parse_stream(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, str]]:
    """Event name and data, one pair for each event; comments are skipped.

    Splits at line feeds only: Python's ``splitlines`` would also split at U+0085 inside the data.
    """
    rest, name, data, size = b"", "message", list[str](), 0
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        size += len(chunk)
        if size > MAX_EVENT:
            raise ConnectionError("an event of the stream is too large")
        for raw in lines:
            line = raw.decode(errors="replace").removesuffix("\r")
            if not line:
                if data:
                    yield name, "\n".join(data)
                name, data, size = "message", [], len(rest)
                continue
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
