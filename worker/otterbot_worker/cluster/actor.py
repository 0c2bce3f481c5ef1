"""The actor of Ray that holds a `Seat`. It is an ordinary class: the relay makes an actor of it.

Ray calls it from several threads, so that a cancel comes through while another call waits. What it holds lives in an
event loop of its own, in a thread that ends with the process: the kernel ends the GPU process with that thread.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from .. import config_file, privacy
from .seat import Seat
from .wire import Batch, Seating

T = TypeVar("T")


class LaneActor:
    """Ends its process when the worker is not heard for ``seating.lease`` seconds: whether it was killed, its machine
    is off, or this one was frozen and another lane has its picture by now.

    No method may be a coroutine: Ray would call all of them in one event loop, and each would wait for the one before.
    """

    def __init__(self, seating: Seating) -> None:
        privacy.keep_to_ourselves()
        self._lease = seating.lease
        self._heard = time.monotonic()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="seat", daemon=True).start()
        threading.Thread(target=self._watch, name="lease", daemon=True).start()
        self._seat = self._do(_begin(seating))

    def pid(self) -> int:
        """Also: it is there."""
        return os.getpid()

    def put(self, name: str, piece: bytes, first: bool) -> None:
        self._do(self._seat.put(name, piece, first=first))

    def send(self, line: bytes) -> list[str]:
        return self._do(self._seat.send(line))

    def take(self, seconds: float) -> Batch:
        return self._do(self._seat.take(seconds))

    def stop(self) -> None:
        self._do(self._seat.stop())

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        self._heard = time.monotonic()
        done = asyncio.run_coroutine_threadsafe(work, self._loop).result()
        self._heard = time.monotonic()
        return done

    def _watch(self) -> None:
        while time.monotonic() - self._heard < self._lease:
            time.sleep(min(0.5, self._lease / 4))
        os._exit(0)  # the GPU process goes with this one


async def _begin(seating: Seating) -> Seat:
    seat = Seat(config_file.load(config_file.default_file()), seating, _card())
    await seat.start()
    return seat


def _card() -> str | None:
    """The number of the card that Ray has given to this process, as far as it says."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES") or os.environ.get("HIP_VISIBLE_DEVICES") or ""
    return given.split(",")[0] or None
