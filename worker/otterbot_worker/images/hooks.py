"""A look at the parent from within the computation: cancelling inside a step, and signs of life."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


def _watched(pipe: Any) -> Iterator[torch.nn.Module]:
    """The blocks of every big module: a step, a text encoding and a decode take many of them."""
    unet, encoder, decoder = pipe.unet, pipe.vae.encoder, pipe.vae.decoder
    yield from (*unet.down_blocks, *unet.up_blocks, decoder.mid_block, *decoder.up_blocks)
    yield from (*encoder.down_blocks, encoder.mid_block)
    if unet.mid_block is not None:
        yield unet.mid_block
    for name in ("text_encoder", "text_encoder_2"):
        text_encoder = getattr(pipe, name, None)
        if text_encoder is not None:
            yield from (module for module in text_encoder.modules() if type(module).__name__.endswith("EncoderLayer"))


@contextmanager
def watching(pipe: Any, check: Callable[[], None]) -> Iterator[None]:
    """``check`` is called before every block; what it raises ends the computation there."""

    def hook(_module: torch.nn.Module, _arguments: Any) -> None:
        check()

    handles = [module.register_forward_pre_hook(hook) for module in _watched(pipe)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
