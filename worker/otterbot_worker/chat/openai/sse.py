"""Server-sent events, as chat servers stream them: the data of each, whatever the server puts between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

import aiohttp

from ..reading import MAX_LINE, BrokenStream


async def events(content: aiohttp.StreamReader, left: Callable[[], float]) -> AsyncGenerator[str]:
    """The ``data`` of each event. Comments, by which servers keep a connection alive, are none.

    ``left`` says for how many seconds a read may wait, which only whoever reads the data can tell.

    :raises TimeoutError: :raises BrokenStream:
    """
    buffer, data = b"", list[str]()
    while True:
        async with asyncio.timeout(max(0.0, left())):
            chunk = await content.readany()
        *lines, buffer = (buffer + chunk).split(b"\n")
        if not chunk:
            lines, buffer = [buffer, b""], b""  # a last event that nothing follows counts, too
        for raw in lines:
            line = raw.removesuffix(b"\r").decode("utf-8", "replace")
            if line.startswith("data:"):
                data.append(line.removeprefix("data:").removeprefix(" "))
            elif line.startswith("error:"):  # llama.cpp's server, up to 2024
                data.append('{"error": ' + line.removeprefix("error:") + "}")
            elif not line and data:
                yield "\n".join(data)
                data.clear()
        if not chunk:
            return
        if len(buffer) + sum(map(len, data)) > MAX_LINE:
            raise BrokenStream("an endless event")
