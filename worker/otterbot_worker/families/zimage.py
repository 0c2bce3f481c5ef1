"""Z-Image and its Turbo: a transformer that matches flows, prompts read by a language model, sizes in steps of 16.

Its CFG is the usual CFG minus one: 0 is no guidance.
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
    pipe: Any, device: torch.device, prompt: Prompt, negative: Prompt, *, guided: bool, settings: Settings
) -> dict[str, Any]:
    # The pipeline writes into these lists, so they must be fresh.
    embeds, negatives = pipe.encode_prompt(
        [prompt.text], device=device, do_classifier_free_guidance=guided, negative_prompt=[negative.text]
    )
    return {"prompt_embeds": embeds, **({"negative_prompt_embeds": negatives} if guided else {})}


ZIMAGE = Family(
    title="Z-Image",
    pipeline="ZImagePipeline",
    from_picture="ZImageImg2ImgPipeline",
    transformer="ZImageTransformer2DModel",
    modules=("text_encoder", "transformer", "vae"),
    computing=Computing(kind="z-image", denoiser="transformer", step_bytes=420, heads=30, token_pixels=256),
    encode=encode,
    reads=language.reads,
    sentences_by="text_encoder",
    samplers=("Euler",),  # the pipeline passes custom timesteps, which UniPC does not accept
    guided_above=0.0,
    size_multiple=16,
    bf16=True,
)
