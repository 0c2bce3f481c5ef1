"""What the person at the terminal types, read in a thread.

asyncio's own reader makes the file non-blocking. A terminal is one open file for input and output alike, so printing
a picture faster than the terminal takes it would then fail with ``BlockingIOError``.
"""

from __future__ import annotations

import asyncio
import os
import select
import stat
import threading
from collections.abc import AsyncIterator

CHUNK = 4_096
LONGEST = 65_536
"""Bytes of a line; what is longer is cut there."""


class Keyboard:
    """``async with Keyboard(0) as keyboard: async for line in keyboard``. Ends where the input ends.

    Raises nothing for a file that nobody types into (``/dev/null``, a regular file): that has no lines.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread | None = None
        self._wake_read, self._wake_write = os.pipe()

    async def __aenter__(self) -> Keyboard:
        self._loop = asyncio.get_running_loop()
        if not _is_typed_into(self._file):
            self._lines.put_nowait(None)
            return self
        self._thread = threading.Thread(target=self._read, name="keyboard", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        os.write(self._wake_write, b"x")
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        os.close(self._wake_read)
        os.close(self._wake_write)

    async def __aiter__(self) -> AsyncIterator[str]:
        while (line := await self._lines.get()) is not None:
            yield line

    def _read(self) -> None:
        """In the thread: waits for input or for the end, never inside ``read``, so that the end is not held up."""
        rest = b""
        while True:
            ready, _, _ = select.select([self._file, self._wake_read], [], [])
            if self._wake_read in ready:
                return
            try:
                chunk = os.read(self._file, CHUNK)
            except OSError:  # the terminal has gone
                chunk = b""
            *lines, rest = (rest + chunk).split(b"\n")
            if not chunk:
                lines += [rest] if rest else []
            for line in lines:
                self._put(line.decode(errors="replace").strip())
            rest = rest[:LONGEST]
            if not chunk:
                self._put(None)
                return

    def _put(self, line: str | None) -> None:
        self._loop.call_soon_threadsafe(self._lines.put_nowait, line)


def _is_typed_into(file: int) -> bool:
    mode = os.fstat(file).st_mode
    return os.isatty(file) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
