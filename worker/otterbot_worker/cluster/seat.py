"""A lane of this machine, for a worker on another one: the GPU process, and the files that a picture came with.

Same process, protocol and memory plans as on the worker's own machine, and the settings are this machine's. Used from
one event loop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections import OrderedDict
from pathlib import Path

from ..config import Config
from ..errors import CANNOT_LOOK, LANE_LACKS, CannotLook, JobFailed
from ..gpu import child_command, deaths, messages
from ..gpu.child_handle import Child, Ended
from ..models.catalogue import Catalogue
from ..models.loras import SHIPPED, Library
from ..queue.disk import UNWRITABLE
from . import inventory, travel
from .wire import Batch, End, Seating

log = logging.getLogger(__name__)

LOCK_SECONDS = 30.0
FOR_EVER = 1e9
GATHER_SECONDS = 0.1
"""Steps and previews that come within it travel together; an answer does not wait."""
KEPT_BYTES = 2 * 10**9
"""Files of LoRAs that are kept for the next picture."""
NO_DISK = "A machine of the Ray cluster lacks room on its disk."


class Seat:
    """Owns one child process and a folder of scratch files. :raises CatalogueError: from ``__init__``"""

    def __init__(self, config: Config, seating: Seating, card: str | None) -> None:
        """``card``: the number of the card that Ray has given to it, where it has one."""
        self._config = config
        self._seating = seating
        self._lock = _lock(config, seating, card)
        self._folder = config.data_dir / "cluster" / self._lock.stem
        self._catalogue: Catalogue = inventory.catalogue(config)
        self._library = Library(config.data_dir, SHIPPED)
        self._kept: OrderedDict[str, int] = OrderedDict()
        """Sizes of the files that stay; the least recently used one first."""
        self._full = False
        """A file had no room."""
        self._child: Child | None = None
        self._said: list[messages.ToParent] = []
        self._news, self._answer = asyncio.Event(), asyncio.Event()
        """Something was said; it is more than a step or a preview."""
        self._end: End | None = None
        self._last = messages.Hello(device="", name="", memory=messages.Memory())
        self._resident: str | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts the GPU process; its first word comes with `take`. :raises OSError:"""
        shutil.rmtree(self._folder, ignore_errors=True)  # of one that was killed
        self._folder.mkdir(mode=0o700, parents=True)
        gpu = self._config.gpu
        command = child_command.command(
            device="cuda" if self._seating.gpu else "cpu",
            lock_path=self._lock,
            lock_timeout=LOCK_SECONDS,
            threads=gpu.threads or self._threads(),
            downloads=self._config.images.downloads,
            reserve_mb=gpu.reserve_mb,
            ram_reserve_mb=gpu.ram_reserve_mb,
        )
        environment = child_command.environment()
        environment.pop("OMP_NUM_THREADS", None)  # Ray's; gpu.threads is the operator's
        self._child = await Child.spawn(command, environment, logging.getLogger("otterbot_worker.gpu"))
        self._reading = asyncio.create_task(self._read(self._child))

    def _threads(self) -> int | None:
        """Lanes without a card share the cores."""
        shared = not self._seating.gpu and self._seating.lanes > 1
        return max(1, (os.cpu_count() or 1) // self._seating.lanes) if shared else None

    # ------------------------------------------------------------ from the worker

    async def put(self, name: str, piece: bytes, *, first: bool) -> None:
        """A piece of a file that a picture needs. :raises OSError: :raises ValueError: what is no name"""
        if not travel.good_name(name):
            raise ValueError("no name of a file")
        try:
            await asyncio.to_thread(_append, self._folder / name, piece, first)
        except OSError as error:
            if error.errno not in UNWRITABLE:
                raise
            self._full = True
            (self._folder / name).unlink(missing_ok=True)

    async def send(self, line: bytes) -> list[str]:
        """A message for the GPU process. Returns the names of files that are not here: they have to come first, and
        the message once more."""
        message = messages.for_child(line)
        if not isinstance(message, messages.Draw):
            assert self._child is not None
            self._child.send(message)
            return []
        if self._full:
            self._full = False
            self._say(self._failed(message.task_id, LANE_LACKS, NO_DISK))
            return []
        names = travel.wanted(message)
        if not all(map(travel.good_name, names)):
            raise ValueError("no name of a file")
        missing = [name for name in names if not (self._folder / name).is_file()]
        if not missing:
            await self._draw(message, names)
        return missing

    async def _draw(self, task: messages.Draw, names: list[str]) -> None:
        assert self._child is not None
        for name in names:
            if not name.startswith(travel.INPUT):
                self._kept[name] = (self._folder / name).stat().st_size
                self._kept.move_to_end(name)
        self._make_room(names)
        try:
            found = await asyncio.to_thread(travel.unpacked, task, self._folder, self._catalogue, self._library)
        except JobFailed as error:
            self._say(self._failed(task.task_id, error.code, error.message))
        except CannotLook as error:
            self._say(self._failed(task.task_id, CANNOT_LOOK, error.sentence))
        else:
            self._child.send(found)

    def _make_room(self, names: list[str]) -> None:
        while sum(self._kept.values()) > KEPT_BYTES and (oldest := next(iter(self._kept))) not in names:
            del self._kept[oldest]
            (self._folder / oldest).unlink(missing_ok=True)

    # ------------------------------------------------------------ for the worker

    async def take(self, seconds: float) -> Batch:
        """What was said; waits for it so long at most."""
        if not await _set_within(self._news, seconds):
            return Batch()
        await _set_within(self._answer, GATHER_SECONDS)
        said, self._said = self._said, []
        if self._end is None:
            self._news.clear()
            self._answer.clear()
        pixels = await self._pixels(said)
        return Batch(lines=tuple(map(messages.encode, said)), pixels=pixels, end=self._end)

    async def _pixels(self, said: list[messages.ToParent]) -> bytes | None:
        """Those of the picture that is drawn, where one is; then its files go."""
        last = said[-1] if said else None
        if not isinstance(last, messages.Drawn | messages.Failed | messages.Cancelled):
            return None
        pixels = None
        if isinstance(last, messages.Drawn):
            pixels = await asyncio.to_thread((self._folder / "picture").read_bytes)
        for path in (self._folder / "picture", *self._folder.glob(f"{travel.INPUT}*")):
            path.unlink(missing_ok=True)
        return pixels

    async def stop(self) -> None:
        """Ends the GPU process; nothing of its pictures is left on this machine."""
        if self._child is not None:
            self._child.send(messages.Stop())
            await self._child.end()
        shutil.rmtree(self._folder, ignore_errors=True)

    # ------------------------------------------------------------ from the GPU process

    async def _read(self, child: Child) -> None:
        try:
            while True:
                self._say(await child.receive(FOR_EVER))
        except Ended:
            killed = await child.end()
        reason = "hang" if killed else deaths.describe_exit(child.returncode, oom_kills_before=child.oom_kills_before)
        log.warning("GPU process %d is gone: %s", child.pid, reason)
        self._end = End(returncode=child.returncode, reason=reason)
        self._news.set()
        self._answer.set()

    def _say(self, message: messages.ToParent) -> None:
        if isinstance(message, messages.Hello):
            self._last = message
        if isinstance(message, messages.Drawn | messages.Failed | messages.Cancelled | messages.Trimmed):
            self._resident = message.resident
        if isinstance(message, messages.Released):
            self._resident = None
        if isinstance(message, messages.Failed) and message.details.get("errno") in UNWRITABLE:
            message = self._failed(message.task_id, LANE_LACKS, NO_DISK)
        self._said.append(message)
        self._news.set()
        if not isinstance(message, messages.Progress | messages.Preview | messages.Beat):
            self._answer.set()

    def _failed(self, task_id: str, code: str, sentence: str) -> messages.Failed:
        memory = self._last.memory
        return messages.Failed(task_id=task_id, code=code, message=sentence, memory=memory, resident=self._resident)


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def _lock(config: Config, seating: Seating, card: str | None) -> Path:
    """The lock file of its card, which a worker on this machine would have for the same one."""
    lock, number = config.lock_file, str(seating.number)
    if seating.gpu:
        number = card or number
    if number == "0":
        return lock
    own = f"cuda-{number}" if seating.gpu else f"cpu-{seating.number + 1}"
    return lock.with_name(f"{lock.stem}-{own}{lock.suffix}")


def _append(path: Path, piece: bytes, first: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if first else os.O_APPEND)
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(piece)
