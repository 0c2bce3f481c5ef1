# mypy: disallow-untyped-calls=False
"""All private API of diffusers that the engine uses: names with an underscore, and undocumented modules and methods.
Any release may change them, so ``pyproject.toml`` holds diffusers to the minor version that is tested, and
``tests/worker/images/test_diffusers_private.py`` names what is gone.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers.hooks.group_offloading import (
    _GROUP_OFFLOADING,
    _LAYER_EXECUTION_TRACKER,
    _LAZY_PREFETCH_GROUP_OFFLOADING,
    _maybe_remove_and_reapply_group_offloading,
)
from diffusers.hooks.layerwise_casting import DEFAULT_SKIP_MODULES_PATTERN, apply_layerwise_casting_hook
from diffusers.loaders import single_file_utils
from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES

Tensors = dict[str, torch.Tensor]

# ---------------------------------------------------------------- layers that travel one by one

_OFFLOAD_HOOKS = (_GROUP_OFFLOADING, _LAYER_EXECUTION_TRACKER, _LAZY_PREFETCH_GROUP_OFFLOADING)


def reapply_group_offload(module: Any) -> None:
    """Call after changing a module's values in place: the offloading hooks hold copies of them."""
    _maybe_remove_and_reapply_group_offloading(module)


def remove_group_offload(module: Any) -> None:
    """diffusers has no public way to take ``enable_group_offload`` back."""
    registry = getattr(module, "_diffusers_hook", None)
    if registry is None:
        return
    for hook in _OFFLOAD_HOOKS:
        registry.remove_hook(hook, recurse=True)


# ---------------------------------------------------------------- weights kept in other numbers

SENSITIVE_LAYERS: tuple[str, ...] = DEFAULT_SKIP_MODULES_PATTERN
"""Patterns of layer names that lose too much precision in 8 bits, for any model."""


def sensitive_layers(model: Any) -> tuple[str, ...]:
    """The sensitive layers that a diffusers model declares."""
    return tuple(getattr(model, "_skip_layerwise_casting_patterns", None) or ())


def cast_layer(layer: torch.nn.Module, storage: torch.dtype, compute: torch.dtype) -> None:
    """Keep one layer's weights in ``storage`` and cast them while it computes. ``enable_layerwise_casting``, which is
    public, only takes whole models."""
    apply_layerwise_casting_hook(layer, storage, compute, non_blocking=False)


# ---------------------------------------------------------------- names of tensors


def convert_unet(tensors: Tensors, config: Any) -> Tensors:
    """Rename a published checkpoint's tensors to diffusers' names. :raises KeyError: a tensor is missing"""
    converted: Tensors = single_file_utils.convert_ldm_unet_checkpoint(tensors, config)
    return converted


def convert_vae(tensors: Tensors, config: Any) -> Tensors:
    converted: Tensors = single_file_utils.convert_ldm_vae_checkpoint(tensors, config)
    return converted


def convert_open_clip(encoder: Any, tensors: Tensors, prefix: str) -> Tensors:
    converted: Tensors = single_file_utils.convert_open_clip_checkpoint(encoder, tensors, prefix=prefix)
    return converted


def convert_controlnet(tensors: Tensors, layers_per_block: int) -> Tensors:
    settings = {"layers_per_block": layers_per_block}
    converted: Tensors = single_file_utils.convert_controlnet_checkpoint(tensors, settings)
    return converted


def convert_transformer(cls: str, tensors: Tensors, settings: dict[str, Any]) -> Tensors:
    """``cls``: the transformer's class. Errors are those of the rules for that class, of any kind."""
    rules: Any = SINGLE_FILE_LOADABLE_CLASSES[cls]
    converted: Tensors = rules["checkpoint_mapping_fn"](checkpoint=tensors, config=settings)
    return converted


# ---------------------------------------------------------------- GGUF


def unpack_gguf(transformer: Any, dtype: torch.dtype) -> None:
    """Dequantise all but linear layers (norms in BF16, for example): only linear layers unpack their weights when they
    compute."""
    from diffusers.quantizers.gguf.utils import GGUFLinear, GGUFParameter, dequantize_gguf_tensor

    for module in transformer.modules():
        if isinstance(module, GGUFLinear):
            continue
        for name, parameter in list(module.named_parameters(recurse=False)):
            if isinstance(parameter, GGUFParameter):
                values = dequantize_gguf_tensor(parameter).to(dtype)
                setattr(module, name, torch.nn.Parameter(values, requires_grad=False))


# ---------------------------------------------------------------- pipelines

NOISED_ARGUMENTS = ("timestep", "dtype", "device", "generator", "add_noise")
"""The arguments of ``prepare_latents`` that ``replace_prepare_latents`` passes on."""


def replace_prepare_latents(pipe: Any, noised: Callable[..., torch.Tensor]) -> None:
    """Make an img2img pipeline start from what ``noised`` returns, which gets ``NOISED_ARGUMENTS`` by name: each
    family's method takes other arguments in another order."""
    signature = inspect.signature(pipe.prepare_latents)

    def prepare(*values: Any, **named: Any) -> torch.Tensor:
        given = signature.bind(*values, **named).arguments
        return noised(**{name: given[name] for name in NOISED_ARGUMENTS if name in given})

    pipe.prepare_latents = prepare


@contextmanager
def wrapped_prepare_latents(pipe: Any, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    """Context in which ``wrap(original method)`` replaces the pipeline's ``prepare_latents``."""
    pipe.prepare_latents = wrap(pipe.prepare_latents)
    try:
        yield
    finally:
        del pipe.prepare_latents


def folder_of(model: Any) -> Path | None:
    """The folder that a model was loaded from; ``None`` for the hub or where unknown."""
    folder = Path(str(getattr(model.config, "_name_or_path", "")))
    return folder if folder.is_absolute() else None
