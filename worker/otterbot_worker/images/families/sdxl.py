"""SDXL, its distillations (SSD-1B) and Turbo: two CLIP text encoders, a pooled embedding, sizes as conditions."""

from __future__ import annotations

from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline

from .. import embeddings
from .base import Family

SDXL = Family(
    pipeline=StableDiffusionXLPipeline,
    from_picture=StableDiffusionXLImg2ImgPipeline,
    encode=embeddings.for_sdxl,
    load_arguments={"add_watermarker": False},
    modules=("text_encoder", "text_encoder_2", "unet", "vae"),
)
