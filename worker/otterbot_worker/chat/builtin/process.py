"""The process that has a built-in model: started for a turn, kept for the next ones, ended when nobody asks any more.

It may die at any moment. In the middle of an answer that breaks off, and the next turn starts it anew; a model with
which it dies twice at its start, one time after the other, is not tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from ...errors import JobFailed
from . import failures
from .files import ModelFile

PROGRAM = Path(__file__).with_name("child.py")
STARTS = 2
DYING_SECONDS = 1.0
LAST_WORDS = 2_000
"""Bytes of what it said that go into the log when it did not start."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a process is to have loaded."""

    model: ModelFile
    context: int
    threads: int

    def line(self, key: str) -> bytes:
        """For the process's input."""
        model = self.model
        wish = {"path": str(model.path), "name": model.name, "tiny": model.packed, "key": key}
        return json.dumps(wish | {"context": self.context, "threads": self.threads}).encode() + b"\n"


class Running:
    """A process that answers at ``url`` to whoever has ``key``."""

    def __init__(self, process: asyncio.subprocess.Process, wish: Wish, url: str, key: str, words: _Words) -> None:
        self.process = process
        self.wish = wish
        self.url = url
        self.key = key
        self.words = words

    @property
    def alive(self) -> bool:
        return self.process.returncode is None


class Llama:
    """At most one process at a time. Used by one turn at a time."""

    def __init__(self, *, keep_alive: float, load_timeout: float, log: logging.Logger) -> None:
        self._keep_alive = keep_alive
        self._load_timeout = load_timeout
        self._log = log
        self._running: Running | None = None
        self._given_up: dict[str, JobFailed] = {}
        self._idle: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> Running | None:
        return self._running if self._running is not None and self._running.alive else None

    def given_up(self, model: ModelFile) -> JobFailed | None:
        """Why it is not tried any more."""
        return self._given_up.get(model.mark)

    async def start(self, wish: Wish) -> Running:
        """The process with what is wished for; a new one, where there is none. :raises JobFailed:"""
        self.keep()
        if (failed := self.given_up(wish.model)) is not None:
            raise failed
        if self._running is not None:
            if self._running.alive and self._running.wish == wish:
                return self._running
            await self.end()
        how = ""
        for _ in range(STARTS):
            found = await self._try(wish)
            if isinstance(found, Running):
                self._running = found
                return found
            how = found
        self._given_up[wish.model.mark] = failed = failures.cannot_start(wish.model, how)
        raise failed

    async def _try(self, wish: Wish) -> Running | str:
        """The process, or how it ended before it answered. :raises JobFailed: it loads for too long"""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", str(PROGRAM), "--parent", str(os.getpid())),
            env=_environment(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        words, key = _Words(process), secrets.token_urlsafe(32)
        try:
            with contextlib.suppress(ConnectionError):
                process.stdin.write(wish.line(key))
                await process.stdin.drain()
            async with asyncio.timeout(self._load_timeout):
                line = await process.stdout.readline()
            if line:
                words.forget()
                self._log.info("the built-in chat model %s is loaded", wish.model.name, extra={"pid": process.pid})
                return Running(process, wish, str(json.loads(line)["url"]), key, words)
        except TimeoutError:
            await _kill(process, words)
            raise failures.slow_load(wish.model, self._load_timeout) from None
        except BaseException:
            await _kill(process, words)
            raise
        await _kill(process, words, grace=1.0)
        how = _how(process.returncode)
        self._log.warning("the built-in chat model did not start (%s). Its last words: %s", how, words.text)
        return how

    # ------------------------------------------------------------ its end

    def keep(self) -> None:
        """It is of use: it does not end until `leave`."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def leave(self) -> None:
        """Nobody asks it any more: it ends after a while."""
        self.keep()
        self._idle = asyncio.get_running_loop().call_later(self._keep_alive, self._end_soon)

    def _end_soon(self) -> None:
        self._log.info("nobody chats: the built-in chat model leaves the memory")
        task = asyncio.create_task(self.end(), name="end the built-in chat model")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def bury(self) -> None:
        """Its connection broke, so it is dead, or of no use any more; the next turn has a new one. A process that was
        killed closes its connections before anybody is told of its death."""
        if self._running is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DYING_SECONDS):
                    await self._running.process.wait()
        await self.end()

    async def end(self) -> None:
        self.keep()
        running, self._running = self._running, None
        if running is None:
            return
        if not running.alive:
            self._log.warning("the built-in chat model's process ended (%s)", _how(running.process.returncode))
        await _kill(running.process, running.words)


class _Words:
    """What the process says: kept until it answers, and read away from then on, for it could hold words of a chat."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._kept: bytearray | None = bytearray()
        assert process.stderr is not None
        self.reading = asyncio.create_task(self._read(process.stderr), name="hear the built-in chat model")

    @property
    def text(self) -> str:
        return " ".join((self._kept or b"").decode("utf-8", "replace").split())

    def forget(self) -> None:
        self._kept = None

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(8192):
            if self._kept is not None:
                self._kept += chunk
                del self._kept[:-LAST_WORDS]


async def _kill(process: asyncio.subprocess.Process, words: _Words, *, grace: float = 0.0) -> None:
    """Ends it, after ``grace`` seconds for an end of its own, and waits until nothing of it is left."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(grace):
            await process.wait()
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()
    await asyncio.wait([words.reading], timeout=1.0)
    words.reading.cancel()


def _environment() -> dict[str, str]:
    """Where our own package is found, wherever the worker was started from."""
    root = str(Path(__file__).resolve().parents[3])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}


def _how(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-returncode).name
    return f"exit code {returncode}"
