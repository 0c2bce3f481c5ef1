"""Stable Diffusion 3 and 3.5: a transformer that matches flows; two CLIP text encoders, and T5, which may be left out.

The prompt is encoded without weights: T5 cannot use them, and CLIP's share of the tokens is small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..schemas.settings import Settings
from .base import Computing, Family
from .prompt import Prompt

if TYPE_CHECKING:
    import torch

T5_TOKENS = 256
CLIP_TOKENS = 77


def reads(pipe: Any) -> tuple[Any, int]:
    """T5's tokenizer and limit, else CLIP's. The begin and end tokens do not count as the prompt's."""
    if pipe.text_encoder_3 is not None:
        return pipe.tokenizer_3, T5_TOKENS - 1
    return pipe.tokenizer, CLIP_TOKENS - 2


def encode(
    pipe: Any, device: torch.device, prompt: Prompt, negative: Prompt, *, guided: bool, settings: Settings
) -> dict[str, Any]:
    names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
    embeds = pipe.encode_prompt(
        prompt.text,
        None,
        None,
        device=device,
        negative_prompt=negative.text,
        do_classifier_free_guidance=guided,
        max_sequence_length=T5_TOKENS,
    )
    return {name: tensor for name, tensor in zip(names, embeds, strict=True) if tensor is not None}


SD3 = Family(
    title="Stable Diffusion 3",
    pipeline="StableDiffusion3Pipeline",
    from_picture="StableDiffusion3Img2ImgPipeline",
    transformer="SD3Transformer2DModel",
    modules=("text_encoder", "text_encoder_2", "text_encoder_3", "transformer", "vae"),
    optional=("text_encoder_3",),
    computing=Computing(kind="sd35-medium", denoiser="transformer", step_bytes=370, heads=48, token_pixels=256),
    encode=encode,
    reads=reads,
    sentences_by="text_encoder_3",
    load_arguments={"image_encoder": None, "feature_extractor": None},
    samplers=("Euler", "Heun", "UniPC"),
    size_multiple=16,
    bf16=True,
)
