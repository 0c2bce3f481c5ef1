# mypy: disallow-untyped-calls=False
"""Layer-wise casting: weights stored in another number format than they compute in.

Each layer's weights are cast before it computes, and back afterwards. Storing in a smaller format loses values, so such
a model is loaded again to undo it.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from ...memory.device_info import Precision
from ...memory.placement import quantises
from .. import diffusers_private
from ..diffusers_private import SENSITIVE_LAYERS

EIGHT_BITS = torch.float8_e4m3fn
_LAYERS = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)
_LOSE_TOO_MUCH = (*SENSITIVE_LAYERS, "embedder", "time_embed")
"""Layers that lose too much precision in 8 bits; they stay in 16 bits as in their file."""
_ASKED_BY_THEIR_OWNER = (r"\.wo$",)
"""Layers such as T5's ``wo``, whose owner casts the input to the weights' format. diffusers' models list theirs as
sensitive layers."""


def dtype(name: str) -> torch.dtype:
    found: torch.dtype = getattr(torch, name)
    return found


def compute_in(pipe: Any, precision: Precision) -> None:
    """Make a pipeline loaded in ``precision.storage`` compute in ``precision.compute``."""
    if precision.cast:
        for module in _modules(pipe).values():
            cast(module, precision)


def quantise(pipe: Any, precision: Precision) -> None:
    """Store the pipeline's large components in 8 bits."""
    for name, module in _modules(pipe).items():
        if quantises(name, sum(parameter.numel() for parameter in module.parameters())):
            cast(module, precision, eight_bits=True)


def _modules(pipe: Any) -> dict[str, torch.nn.Module]:
    return {name: part for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}


def cast(module: torch.nn.Module, precision: Precision, *, eight_bits: bool = False) -> None:
    """``eight_bits``: store the castable layers in 8 bits, else in ``precision.storage``. Layers that cannot be cast
    are stored in ``precision.compute``. Buffers stay as they are, since they are only added or are larger on purpose;
    running statistics are cast, since they take part in the computation."""
    if hasattr(module, "otterbot_cast"):
        return  # already cast by another pipeline that shares it, or in 8 bits
    storage, compute = dtype(precision.storage), dtype(precision.compute)
    named = diffusers_private.sensitive_layers(module)
    hooked = _castable(module, (*_ASKED_BY_THEIR_OWNER, *(set(named) - set(SENSITIVE_LAYERS))))
    for name, layer in module.named_modules():
        if not _floats(layer):
            continue  # quantised in its file
        kept = storage
        if eight_bits and not _matches(name, (*_LOSE_TOO_MUCH, *named)):
            kept = EIGHT_BITS
        if layer in hooked and kept != compute:
            diffusers_private.cast_layer(layer, kept, compute)
        else:
            statistics = layer.buffers(recurse=False) if isinstance(layer, _BatchNorm) else ()
            for tensor in (*layer.parameters(recurse=False), *statistics):
                if tensor.is_floating_point():
                    tensor.data = tensor.data.to(compute)
    module.otterbot_cast = True  # type: ignore[assignment]


def _castable(module: torch.nn.Module, asked: tuple[str, ...]) -> set[torch.nn.Module]:
    """The layers that can be cast. Not those that share a parameter with a layer that cannot, as the first and last
    layer of a language model do."""
    layers = {name: layer for name, layer in module.named_modules() if _floats(layer)}
    able = {layer for name, layer in layers.items() if isinstance(layer, _LAYERS) and not _matches(name, asked)}
    others = [layer for layer in layers.values() if layer not in able]
    taken = {id(parameter) for layer in others for parameter in layer.parameters(recurse=False)}
    return {layer for layer in able if not any(id(one) in taken for one in layer.parameters(recurse=False))}


def _floats(layer: torch.nn.Module) -> bool:
    return all(parameter.is_floating_point() for parameter in layer.parameters(recurse=False))


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(re.search(pattern, name) for pattern in patterns)
