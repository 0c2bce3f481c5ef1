"""Forward hooks that call back from within a step: for cancelling and for signs of life."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

_LISTS = ("down_blocks", "up_blocks", "transformer_blocks", "single_transformer_blocks", "noise_refiner", "layers")
"""Attributes in which U-Nets, VAEs and transformers keep their blocks."""
_ENCODER_BLOCKS = ("EncoderLayer", "DecoderLayer", "T5Block")
"""Suffixes of the block classes of text encoders: CLIP, language models, T5."""


def _watched(parts: Iterable[Any]) -> Iterator[torch.nn.Module]:
    """The blocks of all large modules; a step, a text encoding or a decode runs through many of them."""
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
    """Context in which ``check`` is called before every block of the pipeline's modules; its exceptions end the
    computation."""

    def hook(_module: torch.nn.Module, _arguments: Any) -> None:
        check()

    handles = [module.register_forward_pre_hook(hook) for module in _watched(pipe.components.values())]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
