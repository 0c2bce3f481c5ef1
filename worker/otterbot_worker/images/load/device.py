# mypy: disallow-untyped-calls=False
"""The device: which one, how much memory it has free, and which errors it never recovers from."""

from __future__ import annotations

import gc
from pathlib import Path

import torch

from ...gpu import attention
from ...gpu.messages import Memory
from ...memory.device_info import DeviceInfo

_OUT_OF_MEMORY = (
    "not enough memory",
    "out of memory",
    # Errors of cuBLAS and cuDNN when a full card has no room for their handle or workspace.
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED",
    "unable to find an engine to execute this computation",
)
_FATAL = ("CUDA error", "CUDA driver error", "cuDNN error", "CUBLAS_STATUS_EXECUTION_FAILED")


class DeviceLost(Exception):
    """A CUDA error after which every further call in this process fails."""


class NoDevice(Exception):
    """The configured device is not in this machine."""


def pick(wanted: str) -> torch.device:
    """``auto`` is the first CUDA card, else the CPU. :raises NoDevice:"""
    if wanted == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    device = torch.device(wanted)
    if device.type == "cpu":
        return device
    if device.type != "cuda":
        raise NoDevice(f"the device {wanted} is not supported: auto, cpu, cuda or cuda:N")
    index = device.index or 0
    if not torch.cuda.is_available() or index >= torch.cuda.device_count():
        raise NoDevice(f"the device {wanted} is not there: torch sees {torch.cuda.device_count()} CUDA cards")
    return torch.device("cuda", index)


def name(device: torch.device) -> str:
    """The card's name, or the processor's."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return "CPU"


def memory(device: torch.device) -> Memory:
    """Total and free bytes, of the card or of the machine, as measured now."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return Memory(total_bytes=total, free_bytes=free, held_bytes=torch.cuda.memory_reserved(device))
    try:
        fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        total, free = (int(fields[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError):
        return Memory()
    return Memory(total_bytes=total, free_bytes=free)


def facts(device: torch.device, held: int = 0) -> DeviceInfo:
    """Measure the device now. ``held``: bytes of the computer's memory that the caller could free."""
    ram = memory(torch.device("cpu")).free_bytes or 0
    measured = memory(device)
    free, total = measured.free_bytes or 0, measured.total_bytes or 0
    if device.type != "cuda":
        return DeviceInfo(kind="cpu", total=total, available=free + held, ram_available=ram + held)
    major, minor = torch.cuda.get_device_capability(device)
    return DeviceInfo(
        kind="cuda",
        total=total,
        available=free + torch.cuda.memory_reserved(device),  # the allocator's reserve includes held memory
        ram_available=ram + held,
        capability=(major, minor),
        bf16=major >= 8,
        attention=attention.kernels(device, attention.computed_in((major, minor))),
    )


def empty(device: torch.device) -> None:
    """Return unreferenced memory to the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def begin_peak(device: torch.device) -> None:
    """From here on ``peak`` counts."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak(device: torch.device) -> int | None:
    """The most bytes that this process used at once; ``None`` without a card. What the allocator cannot use and the
    driver takes besides is not in there: that is what the reserve is for."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(mark in str(error) for mark in _OUT_OF_MEMORY)


def is_fatal(error: BaseException) -> bool:
    """Whether the CUDA context is beyond repair."""
    if is_out_of_memory(error):
        return False
    accelerator = getattr(torch, "AcceleratorError", None)
    if accelerator is not None and isinstance(error, accelerator):
        return True
    return isinstance(error, RuntimeError) and any(mark in str(error) for mark in _FATAL)
