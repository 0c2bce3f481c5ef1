"""Z-Image and its Turbo: a transformer that matches flows, prompts read by a language model, sizes in steps of 16.

Its CFG is what others call CFG less one: 0 is none.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import ZImagePipeline, ZImageTransformer2DModel

from ...models import families
from ..embeddings import Prompt
from . import language
from .base import Family


@torch.no_grad()
def encode(pipe: Any, device: torch.device, prompt: Prompt, negative: Prompt, *, guided: bool) -> dict[str, Any]:
    # Fresh lists: the pipeline writes into them.
    embeds, negatives = pipe.encode_prompt(
        [prompt.text], device=device, do_classifier_free_guidance=guided, negative_prompt=[negative.text]
    )
    return {"prompt_embeds": embeds, **({"negative_prompt_embeds": negatives} if guided else {})}


ZIMAGE = Family(
    abilities=families.FAMILIES["zimage"],
    pipeline=ZImagePipeline,
    transformer=ZImageTransformer2DModel,
    encode=encode,
    reads=language.reads,
)
