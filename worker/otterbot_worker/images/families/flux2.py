"""FLUX.2 klein: a transformer that matches flows, prompts read by a language model, latents packed in twos.

The pipeline unpacks them and undoes the decoder's normalisation itself, so that what it gives can be decoded as it is.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import Flux2KleinPipeline, Flux2Transformer2DModel

from ...models import families
from ..embeddings import Prompt
from . import language
from .base import Family


@torch.no_grad()
def encode(pipe: Any, device: torch.device, prompt: Prompt, _negative: Prompt, *, guided: bool) -> dict[str, Any]:
    del guided  # there is no negative prompt; what is not distilled is guided by an empty one
    embeds, _ = pipe.encode_prompt(prompt.text, device=device)
    return {"prompt_embeds": embeds}


FLUX2 = Family(
    abilities=families.FAMILIES["flux2"],
    pipeline=Flux2KleinPipeline,
    transformer=Flux2Transformer2DModel,
    encode=encode,
    reads=language.reads,
)
