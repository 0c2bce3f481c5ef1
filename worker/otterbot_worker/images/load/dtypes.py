# mypy: disallow-untyped-calls=False
"""Weights that are kept in other numbers than are computed with.

Each layer's weights are cast when it computes, and back behind it. It cannot be undone exactly where the kept numbers
are smaller: such a model is loaded again.
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
"""In 8 bits. In 16, as their file has them, they lose nothing."""
_ASKED_BY_THEIR_OWNER = (r"\.wo$",)
"""As T5's ``wo``: the owner casts a layer's input to what its weights are kept in. Models of diffusers name theirs
among those that lose too much."""


def dtype(name: str) -> torch.dtype:
    found: torch.dtype = getattr(torch, name)
    return found


def compute_in(pipe: Any, precision: Precision) -> None:
    """Have a pipeline that was loaded in ``precision.storage`` compute in ``precision.compute``."""
    if precision.cast:
        for module in _modules(pipe).values():
            cast(module, precision)


def quantise(pipe: Any, precision: Precision) -> None:
    """Keep its large components in 8 bits."""
    for name, module in _modules(pipe).items():
        if quantises(name, sum(parameter.numel() for parameter in module.parameters())):
            cast(module, precision, eight_bits=True)


def _modules(pipe: Any) -> dict[str, torch.nn.Module]:
    return {name: part for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}


def cast(module: torch.nn.Module, precision: Precision, *, eight_bits: bool = False) -> None:
    """``eight_bits``: what can be is kept in those, else all is kept in ``precision.storage``. What cannot be cast
    when it computes is kept in what is computed with. Buffers stay as they are, since they are only added to what was
    computed, or are in larger numbers on purpose; but statistics are computed with."""
    if hasattr(module, "otterbot_cast"):
        return  # shared with another pipeline, or in 8 bits already
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
    """The layers that can be cast when they compute. One that shares a parameter with another that cannot, as the last
    layer of a language model with the first, would take it away from that."""
    layers = {name: layer for name, layer in module.named_modules() if _floats(layer)}
    able = {layer for name, layer in layers.items() if isinstance(layer, _LAYERS) and not _matches(name, asked)}
    others = [layer for layer in layers.values() if layer not in able]
    taken = {id(parameter) for layer in others for parameter in layer.parameters(recurse=False)}
    return {layer for layer in able if not any(id(one) in taken for one in layer.parameters(recurse=False))}


def _floats(layer: torch.nn.Module) -> bool:
    return all(parameter.is_floating_point() for parameter in layer.parameters(recurse=False))


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(re.search(pattern, name) for pattern in patterns)
