# mypy: disallow-untyped-calls=False
"""Weights that are kept in other numbers than are computed with.

Each layer's weights are cast when it computes, and back behind it. It cannot be undone exactly where the kept numbers
are smaller: such a model is loaded again.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from diffusers.hooks.layerwise_casting import DEFAULT_SKIP_MODULES_PATTERN, apply_layerwise_casting_hook

from ..gpu.facts import Precision
from ..gpu.planning import quantises

EIGHT_BITS = torch.float8_e4m3fn
_LAYERS = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)
_LOSE_TOO_MUCH = (*DEFAULT_SKIP_MODULES_PATTERN, "embedder", "time_embed")
"""In 8 bits."""
_ASKED_BY_THEIR_OWNER = (r"\.wo$",)
"""As T5's ``wo``: the owner casts a layer's input to what its weights are kept in. Models of diffusers name theirs."""


def dtype(name: str) -> torch.dtype:
    found: torch.dtype = getattr(torch, name)
    return found


def compute_in(pipe: Any, precision: Precision) -> None:
    """Have a pipeline that was loaded in ``precision.storage`` compute in ``precision.compute``."""
    if precision.cast:
        for module in _modules(pipe).values():
            _cast(module, dtype(precision.storage), dtype(precision.compute))


def quantise(pipe: Any, precision: Precision) -> None:
    """Keep its large components in 8 bits."""
    for name, module in _modules(pipe).items():
        if quantises(name, sum(parameter.numel() for parameter in module.parameters())):
            _cast(module, EIGHT_BITS, dtype(precision.compute), _LOSE_TOO_MUCH)


def _modules(pipe: Any) -> dict[str, torch.nn.Module]:
    return {name: part for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}


def _cast(module: torch.nn.Module, storage: torch.dtype, compute: torch.dtype, spared: tuple[str, ...] = ()) -> None:
    if hasattr(module, "otterbot_cast"):
        return  # shared with another pipeline, or in 8 bits already
    named = getattr(module, "_skip_layerwise_casting_patterns", None) or ()
    spared = (*spared, *_ASKED_BY_THEIR_OWNER, *named)
    for name, layer in module.named_modules():
        numbers = [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]
        if not all(tensor.is_floating_point() for tensor in layer.parameters(recurse=False)):
            continue  # quantised in its file
        if isinstance(layer, _LAYERS) and not any(re.search(pattern, name) for pattern in spared):
            apply_layerwise_casting_hook(layer, storage, compute, non_blocking=False)
        else:
            for tensor in numbers:
                if tensor.is_floating_point():
                    tensor.data = tensor.data.to(compute)
    module.otterbot_cast = True  # type: ignore[assignment]
