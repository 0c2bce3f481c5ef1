"""One running child: its operating system process, its socket and its output. Owned by ``process``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket

from . import deaths, messages

OUTPUT_S = 1.0
"""Seconds to wait for the last output of a dead child."""


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
        words: asyncio.StreamReader,
        pipe: asyncio.ReadTransport,
        log: logging.Logger,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._words = words
        self._pipe = pipe
        self._log = log
        self._output = asyncio.create_task(self._copy_output())
        self.oom_kills_before = deaths.oom_kills()
        self.stopping = False

    @classmethod
    async def spawn(cls, command: list[str], environment: dict[str, str], log: logging.Logger) -> Child:
        ours, theirs = socket.socketpair()
        reading, writing = os.pipe()
        # A pipe of our own: with asyncio's, `wait` would not return while another process holds a copy of it.
        with contextlib.ExitStack() as on_error:
            on_error.callback(ours.close)
            output = on_error.enter_context(os.fdopen(reading, "rb", buffering=0))
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    "--fd",
                    str(theirs.fileno()),
                    pass_fds=(theirs.fileno(),),
                    env=environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=writing,
                    stderr=asyncio.subprocess.STDOUT,
                )
            finally:
                theirs.close()
                os.close(writing)
            on_error.callback(_kill, process)
            reader, writer = await asyncio.open_connection(sock=ours, limit=messages.LINE_LIMIT)
            words = asyncio.StreamReader()
            pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(words), output
            )
            on_error.pop_all()
        return cls(process, reader, writer, words, pipe, log)

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
            _kill(self._process)
        await self._process.wait()
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
        # A grandchild (a download) may hold the pipe open after the child's death.
        await asyncio.wait([self._output], timeout=OUTPUT_S)
        self._pipe.close()
        return killed

    async def _copy_output(self) -> None:
        """Copy the child's output to the worker's log: warnings of libraries, stacks of crashes."""
        rest = b""
        while chunk := await self._words.read(8192):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._log.info("GPU process: %s", line.decode(errors="replace")[:500])
            rest = rest[-8192:]


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
