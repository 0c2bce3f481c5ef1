"""The parent's handle on the GPU process: started lazily, supervised, replaced, never orphaned.

::

    stopped ──start──▶ starting ──Hello──▶ idle ──task──▶ loading ⇄ drawing ──result──▶ idle
       ▲                  │                  │                │
       └──────── ended, killed, hung: reaped before the state says "stopped" ────────┘

One thing at a time: ``start``, ``draw``, ``describe``, ``release`` and ``trim`` wait for each other; ``cancel`` and
``stop`` do not. The child dies with this process (parent-death signal) and when the socket
closes; it holds the lock file of the card as long as it lives.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..errors import Cancelled, JobFailed, ProcessDied
from ..schemas.jobs import Progress
from . import child_command, deaths, messages
from .child_handle import Child, Ended, Silent
from .info import GpuInfoData, State

CANCEL_GRACE_S = 10.0
STOP_GRACE_S = 3.0
RELEASE_LIMIT_S = 30.0

OnPreview = Callable[[bytes, int], None]


class GpuProcess:
    """Owns at most one child process. To be used from one event loop.

    ``step_timeout``: seconds without any sign of life within a picture; ``load_timeout``: the
    same while a model loads; ``start_timeout``: from the start of the process to its hello,
    waiting for the previous holder of the card (``lock_timeout``) included. ``reserve_mb`` and ``ram_reserve_mb``:
    memory of the card and of the computer that is left to other programs.
    """

    remote = False
    """It is on another machine: this one's driver knows nothing of its card."""

    def __init__(
        self,
        *,
        device: str,
        lock_path: Path,
        threads: int | None,
        step_timeout: float,
        load_timeout: float,
        log: logging.Logger,
        downloads: bool = False,
        reserve_mb: int | None = None,
        ram_reserve_mb: int | None = None,
        start_timeout: float = 180.0,
        lock_timeout: float = 30.0,
    ) -> None:
        self.device = device
        """As the settings name it."""
        self._command = child_command.command(
            device=device,
            lock_path=lock_path,
            lock_timeout=lock_timeout,
            threads=threads,
            downloads=downloads,
            reserve_mb=reserve_mb,
            ram_reserve_mb=ram_reserve_mb,
        )
        self._step_timeout = step_timeout
        self._load_timeout = load_timeout
        self._log = log
        self._start_timeout = start_timeout
        self._turn = asyncio.Lock()
        self._child: Child | None = None
        self._task_id: str | None = None
        self._cancel_asked = False
        self._stops = 0
        self._info = GpuInfoData(device=device, name="")

    @property
    def info(self) -> GpuInfoData:
        """Last known; never blocks."""
        return self._info

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    # ------------------------------------------------------------ what callers do

    async def start(self) -> None:
        """Start the process if there is none, and wait until it has the card.

        :raises ProcessDied: it ended before its hello
        """
        async with self._turn:
            await self._ensure_started()

    async def draw(
        self,
        task: messages.Draw,
        on_progress: Callable[[Progress], None],
        on_preview: OnPreview | None = None,
    ) -> messages.Drawn:
        """Draw one picture into ``task.output``. ``on_preview``: given a small JPEG at times, where the task wants it,
        with its `messages.Preview.frame`.

        Cancelling the awaiting asyncio task cancels the picture as well.

        :raises JobFailed: the picture failed; the process goes on
        :raises Cancelled: ``cancel`` was called
        :raises ProcessDied: the process ended or hung; the next call starts a new one
        """
        answer = await self._do(task, on_progress, on_preview)
        assert isinstance(answer, messages.Drawn), "a picture was asked for"
        return answer

    async def describe(self, task: messages.Describe, on_progress: Callable[[Progress], None]) -> messages.Described:
        """What a picture shows. Ends, and raises, as `draw` does."""
        answer = await self._do(task, on_progress, None)
        assert isinstance(answer, messages.Described), "a description was asked for"
        return answer

    async def _do(
        self,
        task: messages.Draw | messages.Describe,
        on_progress: Callable[[Progress], None],
        on_preview: OnPreview | None,
    ) -> messages.Drawn | messages.Described:
        async with self._turn:
            self._task_id, self._cancel_asked = task.task_id, False
            try:
                if self._child is None or self._child.ended:
                    on_progress(Progress(phase="starting"))
                child = await self._ensure_started()
                if self._cancel_asked:
                    raise Cancelled()
                return await self._work(child, task, on_progress, on_preview)
            finally:
                self._task_id = None
                if self._child is not None:
                    self._update(state="idle")

    def cancel(self, task_id: str) -> None:
        """Stop that picture within a step, if it is the running one; else nothing."""
        if task_id != self._task_id:
            return
        self._cancel_asked = True
        if self._child is not None:
            self._child.send(messages.Cancel(task_id=task_id))

    async def release(self) -> None:
        """Take the model off the card. The process stays, so that the next picture starts sooner.

        A process that does not answer is killed, which frees the card as well.
        """
        await self._free(messages.Release())

    async def trim(self) -> None:
        """Make the process give back what it keeps to compute with; its model stays. It is killed as by ``release``."""
        await self._free(messages.Trim())

    async def _free(self, what: messages.Release | messages.Trim) -> None:
        async with self._turn:
            child = self._child
            if child is None:
                return
            try:
                child.send(what)
                answer = await child.receive(min(self._step_timeout, RELEASE_LIMIT_S))
                if not isinstance(answer, messages.Released | messages.Trimmed):
                    raise Silent("it was answered with something else")
                resident = answer.resident if isinstance(answer, messages.Trimmed) else None
                self._measured(answer.memory, resident=resident)
            except (Silent, Ended):
                await self._bury(child, "hang")

    async def stop(self) -> None:
        """End the process: asked first, then killed; reaped when this returns.

        A running ``draw`` or ``start`` raises ``ProcessDied("stopped")``."""
        self._stops += 1
        child = self._child
        if child is None:
            return
        child.stopping = True
        child.send(messages.Stop())
        if not await child.wait(STOP_GRACE_S):
            self._log.info("the GPU process did not end by itself and is killed")
        await self._bury(child, "stopped")

    # ------------------------------------------------------------ inside a turn

    async def _ensure_started(self) -> Child:
        if self._child is not None:
            if not self._child.ended:
                return self._child
            await self._bury(self._child, "hang")
        self._update(state="starting")
        stops_before = self._stops
        try:
            child = self._child = await Child.spawn(self._command, child_command.environment(), self._log)
        except OSError as error:
            self._update(state="stopped")
            self._log.error("the GPU process cannot be started: %s", error.strerror)
            raise ProcessDied("start_timeout") from error
        except BaseException:
            self._update(state="stopped")
            raise
        child.stopping = self._stops != stops_before
        try:
            if child.stopping:
                raise Ended
            hello = await child.receive(self._start_timeout)
        except (Ended, Silent):
            raise await self._bury(child, "start_timeout") from None
        except BaseException:
            await asyncio.shield(self._bury(child, "stopped"))
            raise
        if not isinstance(hello, messages.Hello):
            raise await self._bury(child, "start_timeout")
        self._info = GpuInfoData(device=hello.device, name=hello.name, state="idle")
        self._measured(hello.memory, resident=None)
        self._log.info("GPU process %d has %s (%s)", child.pid, hello.device, hello.name)
        return child

    async def _work(
        self,
        child: Child,
        task: messages.Draw | messages.Describe,
        on_progress: Callable[[Progress], None],
        on_preview: OnPreview | None,
    ) -> messages.Drawn | messages.Described:
        child.send(task)
        self._update(state="loading")
        try:
            return await self._until_done(child, task.task_id, on_progress, on_preview)
        except Ended:
            raise await self._bury(child, "hang") from None
        except Silent:
            self._log.warning("the GPU process does not move and is killed")
            raise await self._bury(child, "hang") from None
        except (JobFailed, Cancelled, ProcessDied):
            raise
        except BaseException:  # the waiter was cancelled, or on_progress failed
            await asyncio.shield(self._abandon(child, task.task_id))
            raise

    async def _until_done(
        self,
        child: Child,
        task_id: str,
        on_progress: Callable[[Progress], None],
        on_preview: OnPreview | None = None,
    ) -> messages.Drawn | messages.Described:
        limit = self._load_timeout
        while True:
            message = await child.receive(limit)
            if getattr(message, "task_id", task_id) != task_id:
                continue
            if isinstance(message, messages.Progress):
                loading = message.phase in ("downloading", "loading")
                limit = self._load_timeout if loading else self._step_timeout
                self._update(state="loading" if loading else "drawing")
                on_progress(_progress(message))
            elif isinstance(message, messages.Preview) and on_preview is not None:
                on_preview(base64.b64decode(message.jpeg), message.frame)
            elif isinstance(message, messages.Drawn | messages.Described):
                self._measured(message.memory, resident=message.resident)
                return message
            elif isinstance(message, messages.Failed):
                self._measured(message.memory, resident=message.resident)
                failure = JobFailed(message.code, message.message, message.details)
                failure.ooms = message.ooms
                raise failure
            elif isinstance(message, messages.Cancelled):
                self._measured(message.memory, resident=message.resident)
                if child.stopping and not self._cancel_asked:
                    raise ProcessDied("stopped")
                raise Cancelled()

    async def _abandon(self, child: Child, task_id: str) -> None:
        """Bring the child back to idle for the next caller, or end it."""
        child.send(messages.Cancel(task_id=task_id))
        try:
            async with asyncio.timeout(CANCEL_GRACE_S):
                await self._until_done(child, task_id, lambda _: None)
        except (Cancelled, JobFailed, ProcessDied):
            pass
        except (TimeoutError, Ended, Silent):
            await self._bury(child, "stopped")

    async def _bury(self, child: Child, reason: str) -> ProcessDied:
        """Make sure that the child is gone and reaped. ``reason`` counts only for a child that had to be killed."""
        killed = await child.end()
        if child.stopping:
            reason = "stopped"
        elif not killed:
            reason = self._died(child.returncode, oom_kills_before=child.oom_kills_before)
        if self._child is child:
            self._child = None
            self._info = replace(self._info, state="stopped", resident=None, free_bytes=None, held_bytes=None)
        if reason != "stopped":
            self._log.warning("GPU process %d is gone: %s", child.pid, reason)
        return ProcessDied(reason, child.returncode)

    # ------------------------------------------------------------ small parts

    def _died(self, returncode: int | None, *, oom_kills_before: int) -> str:
        """Why it ended by itself."""
        return deaths.describe_exit(returncode, oom_kills_before=oom_kills_before)

    def _update(self, *, state: State) -> None:
        self._info = replace(self._info, state=state)

    def _measured(self, memory: messages.Memory, *, resident: str | None) -> None:
        self._info = replace(
            self._info,
            total_bytes=memory.total_bytes,
            free_bytes=memory.free_bytes,
            held_bytes=memory.held_bytes,
            resident=resident,
        )


def _progress(message: messages.Progress) -> Progress:
    return Progress(phase=message.phase, step=message.step, steps=message.steps)
