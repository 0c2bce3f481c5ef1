"""Stable Diffusion 1 and 2: one CLIP text encoder, a U-Net, latents of an eighth of the picture's side."""

from __future__ import annotations

from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline

from .. import embeddings
from .base import Family

SD = Family(
    pipeline=StableDiffusionPipeline,
    from_picture=StableDiffusionImg2ImgPipeline,
    encode=embeddings.for_sd,
    load_arguments={"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False},
    modules=("text_encoder", "unet", "vae"),
)
