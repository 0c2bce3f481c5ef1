"""From fragments to prompt embeddings, through compel but never through its grammar.

compel's own parser takes exponential time on nested brackets; here it is handed parsed
objects. Long prompts become several chunks of 77 tokens instead of being cut.

The weights of ``.and()`` and ``.blend()`` are applied here: compel would parse a string again for the empty prompt that
it needs, and knows no blends of more than one chunk each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from compel import CompelForSD, CompelForSDXL  # type: ignore[import-untyped]
from compel.prompt_parser import Conjunction, FlattenedPrompt  # type: ignore[import-untyped]

from ..prompts import Fragment, Parsed, Part, read

LOW_WEIGHTS_MAX = 40
"""Fragments with a weight below 1 per prompt: each one costs a pass of the text encoder."""


TOKENS_MAX = 1500
"""20 chunks. 4,000 emoji would be 16,000 tokens, and every step would attend to all of them."""


class Prompt:
    """A prompt, parsed. ``notes`` says what was not done as written.

    ``tokens_max``: how many tokens are read. ``weighted``: whether weights act; where not, only ``text`` is of use.
    """

    def __init__(
        self, text: str, tokenizer: Any, *, what: str, tokens_max: int = TOKENS_MAX, weighted: bool = True
    ) -> None:
        text = text.encode("utf-8", "replace").decode()  # no lone surrogates: tokenizers refuse them
        parsed = read(text)
        self.notes: list[str] = list(parsed.notes)
        self.lost_weights = not weighted and (
            parsed.kind != "plain" or any(fragment.weight != 1.0 for fragment in parsed.fragments)
        )
        """It has weights, and they do not act."""
        if not weighted:
            parsed = Parsed(kind="plain", parts=(Part(((Fragment(parsed.clean, 1.0),),), 1.0),))
        low = 0
        fragments: list[Fragment] = []
        for fragment in parsed.fragments:
            is_low = fragment.weight < 1.0 and not fragment.text.isspace()
            low += is_low
            fragments.append(Fragment(fragment.text, 1.0) if is_low and low > LOW_WEIGHTS_MAX else fragment)
        if low > LOW_WEIGHTS_MAX:
            self.notes.append(f"Only the first {LOW_WEIGHTS_MAX} weights below 1 in the {what} were used, of {low}.")

        count = _shorten(fragments, tokenizer, tokens_max)
        if count > tokens_max:
            self.notes.append(f"The {what} was cut behind {tokens_max} tokens, of {count}.")

        self.blended = parsed.kind == "blend"
        left = iter(fragments)
        self.parts = tuple(
            Part(tuple(tuple(next(left) for _ in chunk) for chunk in part.chunks), part.weight) for part in parsed.parts
        )
        """As they are encoded; hashable, and all that the embeddings depend on."""

    @property
    def text(self) -> str:
        """The words alone, as far as they are read."""
        return ", ".join(part.clean for part in self.parts)

    def pooled(self) -> list[tuple[str, float]]:
        """Of which texts SDXL's pooled embedding is made, and with which weights."""
        if self.blended:
            return [(part.clean, part.weight) for part in self.parts]
        return [(self.text, 1.0)]


def _shorten(fragments: list[Fragment], tokenizer: Any, tokens_max: int) -> int:
    """Empty what lies behind ``tokens_max``; how many tokens there were."""
    # A token is at least a byte, but a word may stand for many of them.
    if sum(len(f.text.encode()) for f in fragments) * getattr(tokenizer, "tokens_per_byte", 1) <= tokens_max:
        return 0
    counts = [len(ids) for ids in tokenizer([f.text for f in fragments], add_special_tokens=False)["input_ids"]]
    left = tokens_max
    for index, (fragment, count) in enumerate(zip(fragments, counts, strict=True)):
        if count > left:
            fragments[index] = Fragment(_first_tokens(fragment.text, left, tokenizer), fragment.weight)
            fragments[index + 1 :] = [Fragment("", 1.0)] * (len(fragments) - index - 1)
            break
        left -= count
    return sum(counts)


def _first_tokens(text: str, limit: int, tokenizer: Any) -> str:
    """The longest beginning (to a few characters) of at most that many tokens, found by halving."""
    fits, too_long = 0, len(text)
    while too_long - fits > 8:
        middle = (fits + too_long) // 2
        if len(tokenizer(text[:middle], add_special_tokens=False)["input_ids"]) <= limit:
            fits = middle
        else:
            too_long = middle
    return text[:fits]


@torch.no_grad()
def for_sd(pipe: Any, device: torch.device, prompt: Prompt, negative: Prompt, *, guided: bool = True) -> dict[str, Any]:
    """Keyword arguments for a ``StableDiffusionPipeline`` call, which takes both prompts in any case."""
    del guided
    compel = CompelForSD(pipe, device=str(device)).compel
    positive, negative_ = _encode(compel, prompt, negative)
    return {"prompt_embeds": positive, "negative_prompt_embeds": negative_}


@torch.no_grad()
def for_sdxl(
    pipe: Any, device: torch.device, prompt: Prompt, negative: Prompt, *, guided: bool = True
) -> dict[str, Any]:
    """Keyword arguments for a ``StableDiffusionXLPipeline`` call, which takes both prompts in any case.

    The pooled embedding is made from the clean text; compel would take the marks as words. Of a blend it is the blend
    of its parts' pooled embeddings.
    """
    del guided
    both = CompelForSDXL(pipe, device=str(device))
    left = _encode(both.compel_1, prompt, negative)
    right = _encode(both.compel_2, prompt, negative)
    provider = both.compel_2.conditioning_provider
    texts = [prompt.pooled(), negative.pooled()]
    pooled = provider.get_pooled_embeddings([text for some in texts for text, _ in some], device=str(device))
    first = len(texts[0])
    pooled_pair = [_blend(pooled[:first], texts[0]), _blend(pooled[first:], texts[1])]
    # Each encoder's pair has one length; the encoders may differ where their tokenizers do.
    length = max(left[0].shape[1], right[0].shape[1])
    left, right = (_pad(compel, pair, length) for compel, pair in ((both.compel_1, left), (both.compel_2, right)))
    embeds = [torch.cat(halves, dim=-1) for halves in zip(left, right, strict=True)]
    return {
        "prompt_embeds": embeds[0],
        "negative_prompt_embeds": embeds[1],
        "pooled_prompt_embeds": pooled_pair[0],
        "negative_pooled_prompt_embeds": pooled_pair[1],
    }


def _encode(compel: Any, prompt: Prompt, negative: Prompt) -> list[torch.Tensor]:
    tensors = [_combined(compel, one) for one in (prompt, negative)]
    return list(compel.pad_conditioning_tensors_to_same_length(tensors))


def _combined(compel: Any, prompt: Prompt) -> torch.Tensor:
    """(1, chunks x 77, width)"""
    tensors = [compel.build_conditioning_tensor_for_conjunction(_conjunction(part))[0] for part in prompt.parts]
    weights = [part.weight for part in prompt.parts]
    if prompt.blended:
        longest = max(tensor.shape[1] for tensor in tensors)
        padded = [_pad(compel, [tensor], longest)[0] for tensor in tensors]
        return _blend(torch.cat(padded), [("", weight) for weight in weights])
    strong = []
    for tensor, weight in zip(tensors, weights, strict=True):
        if weight == 1.0:
            strong.append(tensor)
        else:
            empty = _pad(compel, [tensor[:, :0]], tensor.shape[1])[0]
            strong.append(empty + (tensor - empty) * weight)
    return torch.cat(strong, dim=1) if len(strong) > 1 else strong[0]


def _conjunction(part: Part) -> Conjunction:
    """A part's chunks, one behind another."""
    prompts = []
    for chunk in part.chunks:
        fragments = [(text, weight) for text, weight in chunk if text.strip()]
        if fragments:  # what was cut off costs no chunk
            prompts.append(FlattenedPrompt(fragments))
    prompts = prompts or [FlattenedPrompt([("", 1.0)])]
    return Conjunction(prompts=prompts, weights=[1.0] * len(prompts))


def _blend(tensors: torch.Tensor, weighted: Sequence[tuple[str, float]]) -> torch.Tensor:
    """The weighted sum of the first dimension, which stays with length 1. One tensor of weight 1 is left as it is."""
    if len(weighted) == 1 and weighted[0][1] == 1.0:
        return tensors
    weights = torch.tensor([weight for _, weight in weighted], dtype=torch.float32, device=tensors.device)
    shape = (-1, *(1 for _ in tensors.shape[1:]))
    return (tensors.float() * weights.reshape(shape)).sum(dim=0, keepdim=True).to(tensors.dtype)


def _pad(compel: Any, pair: list[torch.Tensor], length: int) -> list[torch.Tensor]:
    missing = length - pair[0].shape[1]
    if missing <= 0:
        return pair
    padding = compel.conditioning_provider.empty_z
    repeats = missing // padding.shape[-2]
    padding = padding.reshape(1, *padding.shape[-2:]).repeat(1, repeats, 1).to(pair[0])
    return [torch.cat([tensor, padding], dim=1) for tensor in pair]
