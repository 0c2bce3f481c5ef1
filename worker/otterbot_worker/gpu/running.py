"""One running child: its operating system process, its socket and its output. Owned by ``process``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket

from . import deaths, messages


class Ended(Exception):
    """The child closed its end: it is dead or dying."""


class Silent(Exception):
    """The child said nothing for as long as it was allowed to."""


class Child:
    """One operating system process, its socket and its output."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        log: logging.Logger,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._log = log
        self._output = asyncio.create_task(self._copy_output())
        self.oom_kills_before = deaths.oom_kills()
        self.stopping = False

    @classmethod
    async def spawn(cls, command: list[str], environment: dict[str, str], log: logging.Logger) -> Child:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    "--fd",
                    str(theirs.fileno()),
                    pass_fds=(theirs.fileno(),),
                    env=environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                )
        except BaseException:
            ours.close()
            raise
        try:
            reader, writer = await asyncio.open_connection(sock=ours, limit=messages.LINE_LIMIT)
        except BaseException:
            ours.close()
            process.kill()
            raise
        return cls(process, reader, writer, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None or self._reader.at_eof()

    def send(self, message: messages.ToChild) -> None:
        """A dead child is noticed by the next ``receive``."""
        if not self._writer.is_closing():
            self._writer.write(messages.encode(message))

    async def receive(self, limit_s: float) -> messages.ToParent:
        """:raises Ended: :raises Silent:"""
        try:
            async with asyncio.timeout(limit_s):
                line = await self._reader.readline()
        except TimeoutError:
            raise Silent from None
        except (ConnectionError, ValueError):
            raise Ended from None
        if not line.endswith(b"\n"):
            raise Ended
        try:
            return messages.for_parent(line)
        except messages.BadMessage:
            raise Ended from None

    async def wait(self, limit_s: float) -> bool:
        """Whether the process ended by itself within the limit."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._process.wait()
        return self._process.returncode is not None

    async def end(self) -> bool:
        """Kill what still runs, reap it, close everything. True: it had to be killed.

        A child that closed its socket is about to end and gets a moment, so that its exit
        code can be told."""
        grace = 1.0 if self._reader.at_eof() or self._reader.exception() is not None else 0.05
        killed = not await self.wait(grace)
        if killed:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
        with contextlib.suppress(asyncio.CancelledError):
            async with asyncio.timeout(1.0):
                await self._output
        return killed

    async def _copy_output(self) -> None:
        """The child's words into the worker's log; a warning of a library, a crash's stack."""
        assert self._process.stdout is not None
        rest = b""
        while chunk := await self._process.stdout.read(8192):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._log.info("GPU process: %s", line.decode(errors="replace")[:500])
            rest = rest[-8192:]
