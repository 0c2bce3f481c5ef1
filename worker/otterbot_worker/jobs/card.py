"""Who has the card: nobody, the image model or the language model. One at a time.

Two servers that know nothing of each other share it, so the worker asks one to leave before it lets the other in, and
believes neither ``/api/ps`` nor an answer alone, but looks at the memory too.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Literal

from otterbot_worker.chat import Ollama
from otterbot_worker.gpu.probe import device_kind
from otterbot_worker.gpu.process import GpuProcess

log = logging.getLogger(__name__)

UNLOAD_SECONDS = 10.0
MEMORY_SECONDS = 8.0
STEADY_BYTES = 64 * 1024 * 1024


class CardTaken(Exception):
    """The other side did not leave; the message is a sentence for the operator."""


class Card:
    """Used by the dispatcher alone, for one row at a time."""

    def __init__(self, gpu: GpuProcess, ollama: Ollama | None) -> None:
        self._gpu = gpu
        self._ollama = ollama
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
        """Starts the GPU process where there is none, and makes Ollama leave the card.

        :raises ProcessDied: the process did not start
        :raises CardTaken: Ollama stays
        """
        await self._gpu.start()
        if self.on_cuda and self._ollama is not None:
            loaded_before = self.holder != "images"
            if not await self._ollama.unload_all(UNLOAD_SECONDS):
                raise CardTaken("Ollama does not free the card; it does at the latest when its keep_alive is over.")
            if loaded_before:
                await _memory_settles()
        self.holder = "images"

    async def for_chat(self) -> None:
        """Takes the image model off the card."""
        if self.on_cuda and self._gpu.pid is not None:
            await self._gpu.release()
        self.holder = "chat"

    async def unload(self) -> None:
        """Ends the GPU process: card and memory are free, and Ollama keeps what it has."""
        await self._gpu.stop()
        if self.holder == "images":
            self.holder = None

    async def free(self) -> None:
        """Takes everything off the card, the GPU process too. Never raises for Ollama's sake."""
        await self._gpu.stop()
        if self._ollama is not None and (self.on_cuda or self.holder == "chat"):
            try:
                if not await self._ollama.unload_all(UNLOAD_SECONDS):
                    log.warning("Ollama keeps a model on the card until its keep_alive is over")
            except Exception:
                log.warning("Ollama could not be asked to free the card", exc_info=True)
        self.holder = None


async def _memory_settles() -> None:
    """Waits until the free memory of the cards stops growing: it comes back seconds after an unload."""
    before = free_memory()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + MEMORY_SECONDS
    while before is not None and loop.time() < deadline:
        await asyncio.sleep(0.5)
        now = free_memory()
        if now is None or now - before < STEADY_BYTES:
            return
        before = now


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
