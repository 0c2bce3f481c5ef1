"""From fragments to prompt embeddings, through compel but never through its grammar.

compel's own parser takes exponential time on nested brackets; here it is handed parsed
objects. Long prompts become several chunks of 77 tokens instead of being cut.

The weights of ``.and()`` and ``.blend()`` are applied here: compel would parse a string again for the empty prompt that
it needs, and cannot blend prompts of several chunks. Padding is done here too: compel returns tensors on the device of
the text encoder's weights, which with group offloading is not the device that computes.

Imports torch, so only the GPU process loads this module: other modules of ``families`` import it inside functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from compel import CompelForSD, CompelForSDXL  # type: ignore[import-untyped]
from compel.prompt_parser import Conjunction, FlattenedPrompt  # type: ignore[import-untyped]

from ..errors import JobFailed
from ..prompts import Part
from ..schemas.settings import Settings
from .prompt import Prompt


@torch.no_grad()
def for_sd(pipe: Any, device: torch.device, prompt: Prompt, negative: Prompt, settings: Settings) -> dict[str, Any]:
    """Keyword arguments for a ``StableDiffusionPipeline`` call, which takes both prompts in any case."""
    compel = CompelForSD(pipe, device=str(device)).compel
    with _skipped(pipe.text_encoder, settings.clip_skip or 1):
        positive, negative_ = _encode(compel, device, prompt, negative)
    return {"prompt_embeds": positive, "negative_prompt_embeds": negative_}


@torch.no_grad()
def for_sdxl(pipe: Any, device: torch.device, prompt: Prompt, negative: Prompt) -> dict[str, Any]:
    """Keyword arguments for a ``StableDiffusionXLPipeline`` call, which takes both prompts in any case.

    The pooled embedding is made from the clean text; compel would take the marks as words. Of a blend it is the blend
    of its parts' pooled embeddings.
    """
    both = CompelForSDXL(pipe, device=str(device))
    left = _encode(both.compel_1, device, prompt, negative)
    right = _encode(both.compel_2, device, prompt, negative)
    provider = both.compel_2.conditioning_provider
    texts = [prompt.pooled(), negative.pooled()]
    pooled = provider.get_pooled_embeddings([text for some in texts for text, _ in some], device=str(device)).to(device)
    first = len(texts[0])
    pooled_pair = [_blend(pooled[:first], texts[0]), _blend(pooled[first:], texts[1])]
    # Within an encoder both prompts have one length; the two encoders may differ, as their tokenizers do.
    length = max(left[0].shape[1], right[0].shape[1])
    left, right = (
        [_pad(compel, one, length) for one in pair] for compel, pair in ((both.compel_1, left), (both.compel_2, right))
    )
    embeds = [torch.cat(halves, dim=-1) for halves in zip(left, right, strict=True)]
    return {
        "prompt_embeds": embeds[0],
        "negative_prompt_embeds": embeds[1],
        "pooled_prompt_embeds": pooled_pair[0],
        "negative_pooled_prompt_embeds": pooled_pair[1],
    }


@contextmanager
def _skipped(encoder: torch.nn.Module, last: int) -> Iterator[None]:
    """Clip skip: the output of layer ``last``, counted from the end, is used (1: the last layer), followed by the final
    norm as in A1111. Hooks, because under offloading the weights are in place only while the encoder runs.

    :raises JobFailed: the encoder has fewer layers
    """
    layers = next(module for name, module in encoder.named_modules() if name.endswith("encoder.layers"))
    norm = next(module for name, module in encoder.named_modules() if name.endswith("final_layer_norm"))
    assert isinstance(layers, torch.nn.ModuleList)
    if last > len(layers):
        sentence = f"The text encoder of this model has {len(layers)} layers, and clip skip can be no more than that."
        raise JobFailed("image_failed", sentence)
    seen: list[Any] = []
    handles = [
        layers[-last].register_forward_hook(lambda _layer, _given, made: seen.append(made)),
        norm.register_forward_pre_hook(lambda _norm, _given: seen.pop()),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _encode(compel: Any, device: torch.device, prompt: Prompt, negative: Prompt) -> list[torch.Tensor]:
    """Embeddings of both prompts on ``device``, padded to the longer one."""
    tensors = [_combined(compel, one, device) for one in (prompt, negative)]
    longest = max(tensor.shape[1] for tensor in tensors)
    return [_pad(compel, tensor, longest) for tensor in tensors]


def _combined(compel: Any, prompt: Prompt, device: torch.device) -> torch.Tensor:
    """(1, chunks x 77, width)"""
    build = compel.build_conditioning_tensor_for_conjunction
    tensors = [build(_conjunction(part))[0].to(device) for part in prompt.parts]
    weights = [part.weight for part in prompt.parts]
    if prompt.blended:
        longest = max(tensor.shape[1] for tensor in tensors)
        padded = [_pad(compel, tensor, longest) for tensor in tensors]
        return _blend(torch.cat(padded), [("", weight) for weight in weights])
    strong = []
    for tensor, weight in zip(tensors, weights, strict=True):
        if weight == 1.0:
            strong.append(tensor)
        else:
            empty = _pad(compel, tensor[:, :0], tensor.shape[1])
            strong.append(empty + (tensor - empty) * weight)
    return torch.cat(strong, dim=1) if len(strong) > 1 else strong[0]


def _conjunction(part: Part) -> Conjunction:
    """A part's chunks in order, for compel."""
    prompts = []
    for chunk in part.chunks:
        fragments = [(text, weight) for text, weight in chunk if text.strip()]
        if fragments:  # chunks emptied by the token limit are skipped
            prompts.append(FlattenedPrompt(fragments))
    prompts = prompts or [FlattenedPrompt([("", 1.0)])]
    return Conjunction(prompts=prompts, weights=[1.0] * len(prompts))


def _blend(tensors: torch.Tensor, weighted: Sequence[tuple[str, float]]) -> torch.Tensor:
    """The weighted sum over the first dimension, which is kept. A single tensor of weight 1 is returned unchanged."""
    if len(weighted) == 1 and weighted[0][1] == 1.0:
        return tensors
    weights = torch.tensor([weight for _, weight in weighted], dtype=torch.float32, device=tensors.device)
    shape = (-1, *(1 for _ in tensors.shape[1:]))
    return (tensors.float() * weights.reshape(shape)).sum(dim=0, keepdim=True).to(tensors.dtype)


def _pad(compel: Any, tensor: torch.Tensor, length: int) -> torch.Tensor:
    """Pad with embeddings of the empty prompt."""
    missing = length - tensor.shape[1]
    if missing <= 0:
        return tensor
    padding = compel.conditioning_provider.empty_z
    repeats = missing // padding.shape[-2]
    padding = padding.reshape(1, *padding.shape[-2:]).repeat(1, repeats, 1).to(tensor)
    return torch.cat([tensor, padding], dim=1)
