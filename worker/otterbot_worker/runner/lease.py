"""Who has the card: nobody, the image model or the language model. One at a time.

Two servers that know nothing of each other share it, so the worker asks one to leave before it lets the other in, and
believes neither its list nor its answer alone, but looks at the memory too.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Literal

from ..chat import ChatBackend
from ..gpu.probe import device_kind
from ..gpu.process import GpuProcess

log = logging.getLogger(__name__)

UNLOAD_SECONDS = 10.0
LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 4.0
MEMORY_SECONDS = 12.0
STEADY_BYTES = 64 * 1024 * 1024


class CardTaken(Exception):
    """The other side did not leave; the message is a sentence for the operator."""


class Card:
    """Used by the dispatcher alone, for one row at a time."""

    def __init__(self, gpu: GpuProcess, chat: ChatBackend | None) -> None:
        self._gpu = gpu
        self._chat = chat if chat is not None and chat.capabilities.needs_card else None
        """The other one on the card; a backend that needs none has nothing to leave."""
        self.holder: Literal["images", "chat"] | None = None

    @property
    def resident(self) -> str | None:
        """The image model that is loaded."""
        return self._gpu.info.resident if self.holder == "images" else None

    @property
    def on_cuda(self) -> bool:
        """As the GPU process said; a card that has not been looked at is not shared yet."""
        return self._gpu.info.device.startswith("cuda")

    async def for_images(self) -> None:
        """Makes the language model leave the card, and starts the GPU process where there is none.

        In this order, since the process takes some of the card as soon as it is there. Only it knows what device it
        has, so before the first one that is guessed.

        :raises ProcessDied: the process did not start
        :raises CardTaken: the language model stays
        """
        expected = device_kind(self._gpu.info.device) == "cuda"
        if expected:
            await self._clear()
        await self._gpu.start()
        if self.on_cuda and not expected:
            await self._clear()
        self.holder = "images"

    async def _clear(self) -> None:
        """Language models leave, whoever loaded them. :raises CardTaken:"""
        if self._chat is None:
            return
        before = free_memory()
        name = self._chat.name
        left = await self._chat.unload(UNLOAD_SECONDS)
        if not left.gone:
            raise CardTaken(f"{name} does not free the card; it does at the latest when its keep_alive is over.")
        if left.nameless:
            # Deleted or replaced while it was loaded: nobody can unload it, so the picture is planned beside it.
            log.warning("%s keeps a model on the card that has no name any more", name, extra={"bytes": left.nameless})
        if left.on_card > 0 or left.load_stopped:
            await _memory_returns(before, left.on_card)

    async def for_chat(self) -> None:
        """Takes the image model off the card, for a chat backend that needs it."""
        if self.on_cuda and self._gpu.pid is not None:
            await self._gpu.release()
        self.holder = "chat"

    async def unload(self) -> None:
        """Ends the GPU process: card and memory are free, and the chat backend keeps what it has."""
        await self._gpu.stop()
        if self.holder == "images":
            self.holder = None

    async def free(self) -> None:
        """Takes everything off the card, the GPU process too. Never raises for the chat backend's sake."""
        await self._gpu.stop()
        if self._chat is not None and (self.on_cuda or self.holder == "chat"):
            try:
                if not (await self._chat.unload(UNLOAD_SECONDS)).gone:
                    log.warning("%s keeps a model on the card until its keep_alive is over", self._chat.name)
            except Exception:
                log.warning("%s could not be asked to free the card", self._chat.name, exc_info=True)
        self.holder = None


async def _memory_returns(before: int | None, expected: int) -> None:
    """Waits until the cards have the memory back that language models had: it comes seconds after an unload, and not
    at once. Where less comes than half of it (somebody else took it, or the backend has another machine) it is believed
    after ``PATIENCE_SECONDS``; where it still comes, after ``MEMORY_SECONDS``."""
    if before is None:
        return
    loop = asyncio.get_running_loop()
    started, last = loop.time(), before
    while (waited := loop.time() - started) < MEMORY_SECONDS:
        await asyncio.sleep(LOOK_SECONDS)
        now = free_memory()
        if now is None:
            return
        steady = now - last < STEADY_BYTES
        if steady and (now - before >= expected // 2 or waited >= PATIENCE_SECONDS):
            return
        last = now


def free_memory() -> int | None:
    """Bytes free on all cards together, as the driver says; ``None`` without one."""
    import pynvml  # type: ignore[import-untyped]

    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return sum(int(pynvml.nvmlDeviceGetMemoryInfo(handle).free) for handle in handles)
    except pynvml.NVMLError:
        return None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A card, as the driver says; bytes."""

    name: str
    total: int
    free: int


def look(device: str) -> Seen | None:
    """The card that ``gpu.device`` means, without a GPU process; ``None`` where there is none."""
    if device_kind(device) != "cuda":
        return None
    import pynvml

    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(int(device.partition(":")[2] or 0))
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        return Seen(name=str(pynvml.nvmlDeviceGetName(handle)), total=int(memory.total), free=int(memory.free))
    except pynvml.NVMLError:
        return None
