"""A look at the parent from within the computation: cancelling inside a step, and signs of life."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

_LISTS = ("down_blocks", "up_blocks", "transformer_blocks", "single_transformer_blocks", "noise_refiner", "layers")
"""Where U-Nets, decoders and transformers have their blocks."""
_ENCODER_BLOCKS = ("EncoderLayer", "DecoderLayer", "T5Block")
"""Ends of the names of classes: of CLIP, of language models, of T5."""


def _watched(parts: Iterable[Any]) -> Iterator[torch.nn.Module]:
    """The blocks of every big module: a step, a text encoding and a decode take many of them."""
    for part in parts:
        if not isinstance(part, torch.nn.Module):
            continue
        owners = (part, getattr(part, "encoder", None), getattr(part, "decoder", None))
        own = [block for owner in owners if owner is not None for block in _blocks(owner)]
        yield from own or (module for module in part.modules() if type(module).__name__.endswith(_ENCODER_BLOCKS))


def _blocks(owner: Any) -> Iterator[torch.nn.Module]:
    for name in _LISTS:
        yield from getattr(owner, name, None) or ()
    if getattr(owner, "mid_block", None) is not None:
        yield owner.mid_block


@contextmanager
def watching(pipe: Any, check: Callable[[], None]) -> Iterator[None]:
    """``check`` is called before every block of the pipeline's parts; what it raises ends the computation there."""

    def hook(_module: torch.nn.Module, _arguments: Any) -> None:
        check()

    handles = [module.register_forward_pre_hook(hook) for module in _watched(pipe.components.values())]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
