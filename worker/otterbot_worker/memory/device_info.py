"""Facts measured about a device, and the precision that follows from them. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Number = Literal["float32", "float16", "bfloat16"]
Attention = Literal["flash", "efficient", "math"]

BYTES: dict[Number, int] = {"float32": 4, "float16": 2, "bfloat16": 2}
TENSOR_CORES = (7, 0)
"""Compute capability from which half precision is computed as fast as it is stored; below (Pascal, Maxwell) it is
sixty times slower on most cards, and less exact."""
MATH_DANGER = (
    "no kernel for attention without its scores (flash, memory-efficient) runs on this device with this PyTorch: with "
    "the fallback (math) memory grows with the square of a picture's pixels"
)


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Number formats: storage of weights, and computation."""

    storage: Number
    compute: Number
    note: str | None = None
    """A sentence for people where it differs from the model's usual precision."""

    @property
    def cast(self) -> bool:
        return self.storage != self.compute


@dataclass(frozen=True, kw_only=True)
class DeviceInfo:
    """Bytes as measured now. ``available``: free memory plus what this process could give back."""

    kind: Literal["cpu", "cuda"]
    total: int
    available: int
    ram_available: int
    capability: tuple[int, int] = (0, 0)
    bf16: bool = False
    """The hardware computes bf16."""
    attention: tuple[Attention, ...] = ("efficient", "math")
    """The kernels that run with this precision."""

    @property
    def math_only(self) -> bool:
        return not set(self.attention) & {"flash", "efficient"}

    def precision(self, *, wants_bf16: bool = False) -> Precision:
        """``wants_bf16``: the family overflows fp16."""
        if self.kind == "cpu":
            return Precision(storage="float32", compute="float32")
        if wants_bf16:
            if self.bf16:
                return Precision(storage="bfloat16", compute="bfloat16")
            note = "This card does not compute in bf16, which this model needs: drawn in full precision, more slowly."
            return Precision(storage="bfloat16", compute="float32", note=note)
        if self.capability < TENSOR_CORES:
            return Precision(storage="float16", compute="float32")
        return Precision(storage="float16", compute="float16")
