"""What the driver says of cards, without a GPU process. Answers in a millisecond, and imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from .probe import device_kind

OTHER_SIZE = 0.1
"""The driver keeps a little of a card for itself, so a process sees less."""


def free_memory() -> int | None:
    """Bytes free on all cards together, as the driver says; ``None`` without one."""
    import pynvml  # type: ignore[import-untyped]

    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return sum(int(pynvml.nvmlDeviceGetMemoryInfo(handle).free) for handle in handles)
    except pynvml.NVMLError:
        return None


HEAT_MARGIN = 2
"""Degrees below the temperature at which a card slows itself down."""


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


def overheated(device: str) -> str | None:
    """Where the driver slows a card down, or is about to, because it is too hot: that, as a sentence."""
    if not device.startswith("cuda"):
        return None
    import pynvml

    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(int(device.partition(":")[2] or 0))
        now = int(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))
        most = int(pynvml.nvmlDeviceGetTemperatureThreshold(handle, pynvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN))
    except pynvml.NVMLError:
        return None
    return f"It is at {now} °C, and slows down at {most} °C." if now >= most - HEAT_MARGIN else None


class Unmeasured(Exception):
    """The card's memory cannot be told apart or read; the message is the reason, as a sentence."""


def the_card(device: str, total: int | None) -> Seen:
    """The card of ``gpu.device``, where a language model can only be on that one as well.

    ``total``: bytes, as the GPU process said; ``None`` before its first word. What the driver says may be of another
    card than that: a slice of one is a card of its own to a process.

    :raises Unmeasured:
    """
    seen = look(device)
    if seen is None:
        raise Unmeasured("The driver does not say how much of the card is free.")
    if cards() != 1:
        raise Unmeasured("There is more than one card, and nobody says which one the language model is on.")
    if total is not None and abs(seen.total - total) > seen.total * OTHER_SIZE:
        raise Unmeasured("The driver speaks of a card of another size than the one that draws.")
    return seen


def cards() -> int:
    """How many there are; 0 where nobody can say."""
    import pynvml

    try:
        pynvml.nvmlInit()
        return int(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError:
        return 0
