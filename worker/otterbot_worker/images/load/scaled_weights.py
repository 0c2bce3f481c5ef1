"""Multiplies 8-bit weights by their scales when they are read (``models.quantisation`` finds them)."""

from __future__ import annotations

from collections.abc import MutableMapping

import torch

from ...models import quantisation


def multiply(tensors: MutableMapping[str, torch.Tensor], dtype: torch.dtype) -> None:
    """Multiply the scaled weights into ``dtype`` and remove the scales. In place, so that no weight is in memory
    twice."""
    for weight, scale in quantisation.scales(tensors).items():
        whole, factor = tensors[weight], tensors[scale].float()
        if factor.numel() > 1:
            factor = factor.reshape(-1, *(1 for _ in whole.shape[1:]))
        tensors[weight] = (whole.float() * factor.reshape(factor.shape if factor.numel() > 1 else ())).to(dtype)
    for name in [name for name in tensors if quantisation.needless(name)]:
        del tensors[name]
