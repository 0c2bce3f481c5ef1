"""Weights in 8 bits with scales, multiplied out when they are read (``models.quantisation`` says which those are)."""

from __future__ import annotations

from collections.abc import MutableMapping

import torch

from ...models import quantisation


def multiply(tensors: MutableMapping[str, torch.Tensor], dtype: torch.dtype) -> None:
    """Has every weight hold what it means, in ``dtype``, and takes the scales away. In place: a weight in a file is
    read where it is multiplied, and not kept twice."""
    for weight, scale in quantisation.scales(tensors).items():
        whole, factor = tensors[weight], tensors[scale].float()
        if factor.numel() > 1:
            factor = factor.reshape(-1, *(1 for _ in whole.shape[1:]))
        tensors[weight] = (whole.float() * factor.reshape(factor.shape if factor.numel() > 1 else ())).to(dtype)
    for name in [name for name in tensors if quantisation.needless(name)]:
        del tensors[name]
