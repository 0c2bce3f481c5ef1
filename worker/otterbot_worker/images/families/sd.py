"""Stable Diffusion 1 and 2: one CLIP text encoder, a U-Net, latents of an eighth of the picture's side."""

from __future__ import annotations

from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline

from ...models import families
from .. import embeddings
from .base import Family, Preview

SD = Family(
    abilities=families.FAMILIES["sd"],
    pipeline=StableDiffusionPipeline,
    from_picture=StableDiffusionImg2ImgPipeline,
    encode=embeddings.for_sd,
    load_arguments={"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False},
    preview=Preview(
        factors=(
            (0.3512, 0.2297, 0.3227),
            (0.3250, 0.4974, 0.2350),
            (-0.2829, 0.1762, 0.2721),
            (-0.2120, -0.2616, -0.7177),
        )
    ),
)
