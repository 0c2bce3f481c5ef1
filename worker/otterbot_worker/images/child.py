"""The GPU process: ``python -m otterbot_worker.images.child``, started by ``gpu.process`` alone.

The main thread infers. A second thread reads the socket, so that a cancel is seen in the
middle of a step, and ends the process when it is told to or the parent is gone; the kernel's parent-death
signal does the same when Python itself is stuck. Everything heavy is imported only after
the card's lock is held.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import faulthandler
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from .. import privacy
from ..errors import CANNOT_LOOK, Cancelled, CannotLook, JobFailed
from ..gpu import messages
from ..gpu.card_lock import CardBusy, CardLock
from ..memory import placement
from ..parent_death import die_with
from .importing import without_collecting

if TYPE_CHECKING:
    from .engine import Engine

BEAT_S = 1.0


class Channel:
    """The child's end of the socket. ``cancelled`` is set by the reading thread and polled by the engine."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sending = threading.Lock()
        self.inbox: queue.SimpleQueue[messages.ToChild] = queue.SimpleQueue()
        self._cancelled: set[str] = set()

    def send(self, message: messages.ToParent) -> None:
        with self._sending:
            self._sock.sendall(messages.encode(message))

    def cancelled(self, task_id: str) -> bool:
        return task_id in self._cancelled

    def forget(self, task_id: str) -> None:
        self._cancelled.discard(task_id)

    def read_for_ever(self) -> None:
        """The reading thread. Ends the process when the connection ends."""
        try:
            with self._sock.makefile("rb") as lines:
                for line in lines:
                    self._take(messages.for_child(line))
        finally:
            os._exit(0)

    def _take(self, message: messages.ToChild) -> None:
        if isinstance(message, messages.Cancel):
            self._cancelled.add(message.task_id)
            return
        if isinstance(message, messages.Stop):
            os._exit(0)  # safe at any moment: the picture's file is scratch, and the driver frees the card
        if isinstance(message, messages.Draw | messages.Describe):
            self._cancelled.clear()  # a new task: older cancels do not count
        self.inbox.put(message)


class Task:
    """The engine's ``Monitor`` that reports to the parent."""

    def __init__(self, channel: Channel, task_id: str) -> None:
        self._channel = channel
        self._task_id = task_id
        self._last_word = time.monotonic()

    def progress(self, phase: messages.Phase, step: int = 0, steps: int = 0) -> None:
        self._last_word = time.monotonic()
        self._channel.send(messages.Progress(task_id=self._task_id, phase=phase, step=step, steps=steps))

    def preview(self, picture: bytes, frame: int = 0) -> None:
        self._last_word = time.monotonic()
        jpeg = base64.b64encode(picture).decode()
        self._channel.send(messages.Preview(task_id=self._task_id, jpeg=jpeg, frame=frame))

    def check(self) -> None:
        if self._channel.cancelled(self._task_id):
            raise Cancelled()
        now = time.monotonic()
        if now - self._last_word >= BEAT_S:
            self._last_word = now
            self._channel.send(messages.Beat(task_id=self._task_id))


def volunteer() -> None:
    """Raise this process's OOM score: where RAM runs out, the kernel should not kill the worker."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def describe(error: BaseException) -> str:
    """Type and places of an error without its message, which may quote a prompt."""
    frames = [
        f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return f"{type(error).__name__} at {' < '.join(reversed(frames[-8:]))}"


def work(engine: Engine, channel: Channel, message: messages.Draw | messages.Describe) -> None:
    """One picture that is drawn or described, from the message to its answer."""
    task = Task(channel, message.task_id)
    try:
        answer: messages.ToParent = (
            engine.draw(message, task) if isinstance(message, messages.Draw) else engine.describe(message, task)
        )
    except Cancelled:
        answer = messages.Cancelled(task_id=message.task_id, memory=engine.memory(), resident=engine.resident)
    except (JobFailed, CannotLook) as error:
        failure = error if isinstance(error, JobFailed) else JobFailed(CANNOT_LOOK, error.sentence)
        answer = messages.Failed(
            task_id=message.task_id,
            code=failure.code,
            message=failure.message,
            details=failure.details,
            ooms=failure.ooms,
            memory=engine.memory(),
            resident=engine.resident,
        )
    channel.send(answer)
    channel.forget(message.task_id)


def serve(engine: Engine, channel: Channel) -> NoReturn:
    """Handle tasks until the reading thread, or an error, ends the process."""
    from .load.device import DeviceLost, is_fatal

    while True:
        message = channel.inbox.get()
        try:
            if isinstance(message, messages.Draw | messages.Describe):
                work(engine, channel, message)
            elif isinstance(message, messages.Release):
                engine.put_away()
                channel.send(messages.Released(memory=engine.memory()))
            elif isinstance(message, messages.Trim):
                engine.trim()
                channel.send(messages.Trimmed(memory=engine.memory(), resident=engine.resident))
        except Exception as error:
            if not isinstance(error, DeviceLost) and not is_fatal(error):
                raise
            print(f"the device is lost: {describe(error)}", file=sys.stderr, flush=True)
            os._exit(messages.EXIT_DEVICE_LOST)


def main() -> None:
    parser = argparse.ArgumentParser(prog="otterbot_worker.images.child")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--lock", type=Path, required=True)
    parser.add_argument("--lock-timeout", type=float, required=True)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--downloads", action="store_true")
    parser.add_argument("--reserve-mb", type=int, default=placement.RESERVE_BYTES // 10**6)
    parser.add_argument("--ram-reserve-mb", type=int, default=placement.RAM_RESERVE_BYTES // 10**6)
    options = parser.parse_args()

    privacy.keep_to_ourselves()
    die_with(options.parent)
    volunteer()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    channel = Channel(socket.socket(fileno=options.fd))
    threading.Thread(target=channel.read_for_ever, name="socket", daemon=True).start()

    lock = CardLock(options.lock)
    try:
        lock.acquire(options.lock_timeout)
    except CardBusy as busy:
        print(busy, file=sys.stderr, flush=True)
        os._exit(messages.EXIT_CARD_BUSY)
    try:
        with without_collecting():
            from .engine import Engine

        engine = Engine(
            device=options.device,
            threads=options.threads,
            downloads=options.downloads,
            reserve=options.reserve_mb * 10**6,
            ram_reserve=options.ram_reserve_mb * 10**6,
        )
    except Exception as error:
        # This message may be printed: no prompt has arrived yet.
        print(f"no engine: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(messages.EXIT_NO_ENGINE)
    channel.send(messages.Hello(device=engine.device, name=engine.name, memory=engine.memory()))
    try:
        serve(engine, channel)
    except BaseException as error:
        print(describe(error), file=sys.stderr, flush=True)
        os._exit(1)


if __name__ == "__main__":
    main()
