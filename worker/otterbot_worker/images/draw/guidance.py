"""Guidance rescale, for models with zero terminal SNR.

Their pictures are overexposed under guidance, which makes predictions larger than in training. So a share of the
prediction is scaled back to the conditional one's standard deviation (https://huggingface.co/papers/2305.08891, section
3.4). Few of diffusers' pipelines support it; here it is done between U-Net and sampler for all of them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def rescaled(pipe: Any, share: float) -> Iterator[None]:
    """Context in which the current scheduler of ``pipe`` rescales. ``share``: 0 for none, 1 for all of it."""
    if not share:
        yield
        return
    prompts: list[torch.Tensor] = []
    step = pipe.scheduler.step

    def keep(_module: Any, _arguments: Any, output: Any) -> None:
        prompts[:] = [output[0] if isinstance(output, tuple) else output.sample]

    @functools.wraps(step)  # pipelines inspect its signature
    def scaled_step(prediction: torch.Tensor, *arguments: Any, **named: Any) -> Any:
        both = prompts.pop() if prompts else prediction
        if both.shape[0] == 2 * prediction.shape[0]:  # guided: unconditional and conditional prediction
            prediction = _scaled(prediction, both.chunk(2)[1], share)
        return step(prediction, *arguments, **named)

    handle = pipe.unet.register_forward_hook(keep)
    pipe.scheduler.step = scaled_step
    try:
        yield
    finally:
        handle.remove()
        pipe.scheduler.step = step


def _scaled(guided: torch.Tensor, prompt: torch.Tensor, share: float) -> torch.Tensor:
    sides = list(range(1, guided.ndim))
    spread = prompt.std(dim=sides, keepdim=True) / guided.std(dim=sides, keepdim=True)
    return share * (guided * spread) + (1 - share) * guided
