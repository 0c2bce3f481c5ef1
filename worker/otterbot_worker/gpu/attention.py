# mypy: disallow-untyped-calls=False
"""Which kernels for attention run on a device, for the engine and the doctor. Imports torch when it is asked."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..memory.device_info import TENSOR_CORES, Attention, Number


def computed_in(capability: tuple[int, int]) -> Number:
    """The number format of attention on a card of that compute capability, for a model in half precision."""
    return "float16" if capability >= TENSOR_CORES else "float32"


@cache
def kernels(device: Any, number: Number) -> tuple[Attention, ...]:
    """The kernels that run, tried with tensors of SDXL's shape (heads of 64). Takes device memory, so call it once."""
    import torch

    query = torch.empty(2, 10, 1024, 64, dtype=getattr(torch, number), device=device)
    asked = torch.backends.cuda.SDPAParams(query, query, query, None, 0.0, False, False)
    found: list[Attention] = []
    if torch.backends.cuda.flash_sdp_enabled() and torch.backends.cuda.can_use_flash_attention(asked):
        found.append("flash")
    if torch.backends.cuda.mem_efficient_sdp_enabled() and torch.backends.cuda.can_use_efficient_attention(asked):
        found.append("efficient")
    return (*found, "math")
