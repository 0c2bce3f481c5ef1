"""FLUX.2 klein: a transformer that matches flows, prompts read by a language model, latents packed in twos.

The pipeline unpacks them and undoes the VAE's normalisation itself, so its latents can be decoded as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..schemas.settings import Settings
from . import language
from .base import Computing, Family
from .prompt import Prompt

if TYPE_CHECKING:
    import torch


def encode(
    pipe: Any, device: torch.device, prompt: Prompt, _negative: Prompt, *, guided: bool, settings: Settings
) -> dict[str, Any]:
    del guided, settings  # no negative prompt: undistilled models are guided by an empty one
    embeds, _ = pipe.encode_prompt(prompt.text, device=device)
    return {"prompt_embeds": embeds}


FLUX2 = Family(
    title="FLUX.2 klein",
    pipeline="Flux2KleinPipeline",
    transformer="Flux2Transformer2DModel",
    modules=("text_encoder", "transformer", "vae"),
    computing=Computing(kind="flux2-klein-4b", denoiser="transformer", step_bytes=420, heads=24, token_pixels=256),
    encode=encode,
    reads=language.reads,
    sentences_by="text_encoder",
    samplers=("Euler", "UniPC"),
    guided_above=None,
    size_multiple=16,
    bf16=True,
)
